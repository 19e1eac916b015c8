import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTicket, freePort, onCleanup, phoneToken, publish, request, startProcess } from '@saoma/testing'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const START_TIMEOUT_MS = 60_000

const emptyFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-local-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return folder
}

/** What `npm start -- …` runs, in a folder of its own. */
const start = (folder: string, ...args: string[]) =>
  startProcess({
    name: 'npm start',
    command: process.execPath,
    args: [main, ...args],
    cwd: folder,
    stopTimeoutMs: 30_000,
  })

const says = (words: string) => (line: { text: string }) => line.text.includes(words)

test('npm start brings a cluster up, restarts a node that is killed, and leaves nothing behind', async () => {
  const folder = await emptyFolder()
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const local = await start(folder, '--nodes', '3', '--port', `${port}`)
  await local.nextLine(says(`Saoma is up:  ${origin}`), START_TIMEOUT_MS)
  const rows = await Promise.all(['a', 'b', 'c'].map((id) => local.nextLine(says(`  node ${id} `))))

  const page = await request(`${origin}/`)
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(await createTicket(origin)).toMatchObject({ verification_uri: `${origin}/phone` })
  expect((await request(`${origin}/shop/menu`)).status).toBe(200)
  expect(await phoneToken(origin, 'ana')).toEqual(expect.any(String))
  expect((await stat(join(folder, '.saoma/secret'))).mode & 0o777).toBe(0o600)
  const apiKey = (await readFile(join(folder, '.saoma/api-key'), 'utf8')).trim()
  expect((await publish(origin, { channel: 'room:x', event: 'e', data: 1 }, apiKey)).body).toMatchObject({ offset: 1 })

  const second = await start(folder, '--port', `${await freePort()}`)
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.lines.map(({ text }) => text)).toEqual([
    expect.stringMatching(`already running in this folder \\(process ${local.pid}\\)`),
  ])

  const [, pid, nodeOrigin] = /process (\d+) +(\S+)/.exec(rows[1]?.text ?? '') ?? []
  process.kill(Number(pid), 'SIGKILL')
  await local.nextLine(says('node b ended (SIGKILL)'))
  await local.nextLine(says('node b is back'), START_TIMEOUT_MS)
  expect((await request(`${nodeOrigin}/oidc/jwks`)).headers.get('x-saoma-node')).toBe('b')

  await local.kill('SIGINT')
  expect(await local.exited).toEqual({ code: 0, signal: null })
  await expect(request(`${origin}/`)).rejects.toThrow()
  await expect(request(`${nodeOrigin}/`)).rejects.toThrow()
  expect((await readdir(join(folder, '.saoma'))).sort()).toEqual([
    'api-key',
    'hook-secret',
    'logs',
    'redis',
    'secret',
    'shop',
  ])
  expect(await readFile(join(folder, '.saoma/logs/node-a.log'), 'utf8')).toContain('"event":"stopped"')
}, 120_000)

test('a busy port is one line that says what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const folder = await emptyFolder()
  const local = await start(folder, '--port', `${port}`)
  expect(await local.exited).toEqual({ code: 1, signal: null })
  expect(local.lines.map(({ text }) => text)).toEqual([
    `Port ${port} is in use. Choose another: npm start -- --port ${port + 1}`,
  ])
  expect(await readdir(join(folder, '.saoma'))).not.toContain('lock')
})

test.each([
  [['--nodes', '17'], '--nodes must be a whole number from 1 to 16, not 17'],
  [['--nodes', '1.5'], '--nodes must be a whole number from 1 to 16, not 1.5'],
  [['--port', '0'], '--port must be a whole number from 1 to 65535, not 0'],
  [['--lon'], "Unknown option '--lon'"],
])('%j is refused with a sentence', async (args, sentence) => {
  const local = await start(await emptyFolder(), ...args)
  expect(await local.exited).toEqual({ code: 1, signal: null })
  expect(local.lines.map(({ text }) => text)).toEqual([expect.stringContaining(sentence)])
})

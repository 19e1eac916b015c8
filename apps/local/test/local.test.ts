import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createTicket,
  freePort,
  onCleanup,
  phoneToken,
  plainEnv,
  publish,
  redeem,
  request,
  startProcess,
  until,
} from '@saoma/testing'

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const main = fileOf('../src/main.ts')
const START_TIMEOUT_MS = 60_000

const emptyFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-local-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return folder
}

/** What `npm start -- …` runs, in a folder of its own, with settings in the environment. */
const startWith = (env: Record<string, string>, folder: string, ...args: string[]) =>
  startProcess({
    name: 'npm start',
    command: process.execPath,
    args: [main, ...args],
    env: { ...plainEnv(), ...env },
    cwd: folder,
    stopTimeoutMs: 30_000,
  })
const start = (folder: string, ...args: string[]) => startWith({}, folder, ...args)

/** What another program of ours prints there. */
const run = async (folder: string, ...args: string[]): Promise<string[]> => {
  const program = await startProcess({ name: args[0] ?? '', command: process.execPath, args, cwd: folder })
  await program.exited
  return program.lines.map(({ text }) => text)
}

const says = (words: string) => (line: { text: string }) => line.text.includes(words)

test('npm start runs a cluster, restarts a killed node and leaves nothing behind', async () => {
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

  // A key that is made beside it is good within seconds, on every node.
  expect((await stat(join(folder, '.saoma/cluster.env'))).mode & 0o777).toBe(0o600)
  const key = (await run(folder, fileOf('../../gateway/src/bin/key.ts'), 'create', 'mine', 'room:*'))[1]?.trim() ?? ''
  await until(
    async () => (await publish(origin, { channel: 'room:x', event: 'e', data: 2 }, key)).status,
    (status) => status === 200,
  )

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
    '.gitignore',
    'api-key',
    'api-keys',
    'hook-secret',
    'logs',
    'redis',
    'secret',
    'shop',
  ])
  expect(await readFile(join(folder, '.saoma/logs/node-a.log'), 'utf8')).toContain('"event":"stopped"')
}, 120_000)

// The phone scans them, and the pool is for when WeChat is down.
test('npm start -- --wechat offers mini-program codes, a phone and a pool', async () => {
  const folder = await emptyFolder()
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const local = await startWith({ SAOMA_POOL_MIN: '3' }, folder, '--wechat', '--nodes', '1', '--port', `${port}`)
  const [, simulator] =
    /simulated .* (\S+)$/.exec((await local.nextLine(says('  wechat '), START_TIMEOUT_MS)).text) ?? []
  await local.nextLine(says('Ctrl-C ends everything'))
  const phone = (...args: string[]) => run(folder, fileOf('../src/phone.ts'), ...args)
  const show = async () => {
    const { ticket, qr, device_code, user_code } = await createTicket(origin)
    const picture = await fetch(qr)
    expect(picture.status).toBe(200)
    const file = join(folder, `${ticket}.jpg`)
    await writeFile(file, Buffer.from(await picture.arrayBuffer()))
    return { ticket, file, userCode: user_code, code: device_code, kind: picture.headers.get('x-saoma-code') }
  }

  const first = await show()
  expect(first.kind).toBe('mini-program')
  expect(await phone()).toEqual([
    `Li Lei scans ${first.ticket}`,
    expect.stringMatching('^Log in to Saoma\\?.* 127.0.0.1 '),
    `The page must show ${first.userCode}`,
    'Confirmed.',
  ])
  expect((await redeem(origin, first.code)).body).toHaveProperty('access_token')
  expect((await phone('--decline'))[1]).toMatch('(TICKET_SETTLED)')

  const down = { kind: 'down', path: '/wxa/getwxacodeunlimit' }
  const pool = [fileOf('../../gateway/src/bin/pool.ts'), 'list']
  await until(
    () => run(folder, ...pool),
    (lines) => lines.some((line) => line.includes(' fresh ')),
  )
  expect(await request(`${simulator}/simulator/faults`, { json: down })).toMatchObject({ status: 200 })
  const second = await show()
  const said = await phone(second.file, '--name', 'Han Meimei', '--decline')
  expect(said[1]).toBe(`It was made ahead, and stands for ${second.ticket} now.`)
  expect(said.at(-1)).toBe('Declined.')
  expect((await redeem(origin, second.code)).body).toHaveProperty('error', 'access_denied')

  await local.kill('SIGINT')
  expect(await local.exited).toEqual({ code: 0, signal: null })
  expect(await readdir(join(folder, '.saoma'))).not.toContain('cluster.env')
  expect(await phone()).toEqual(['There is no cluster with codes of WeChat here. Start one: npm start -- --wechat'])
})

test('an unreadable setting is the only thing reported, and everything ends', async () => {
  const folder = await emptyFolder()
  const local = await startWith({ SAOMA_LIMIT_CODES: 'many' }, folder, '--port', `${await freePort()}`)
  expect(await local.exited).toEqual({ code: 1, signal: null })
  expect(local.lines.map(({ text }) => text)).toEqual([
    'The settings have 1 problem(s):',
    '  SAOMA_LIMIT_CODES must be a whole number',
  ])
  expect(await readdir(join(folder, '.saoma'))).not.toContain('lock')
})

test('a busy port gives one line that says what to do', async () => {
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
])('%j is refused with a message', async (args, sentence) => {
  const local = await start(await emptyFolder(), ...args)
  expect(await local.exited).toEqual({ code: 2, signal: null })
  expect(local.lines.map(({ text }) => text)).toEqual([expect.stringContaining(sentence)])
})

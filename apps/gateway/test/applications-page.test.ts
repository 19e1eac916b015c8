import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  freePort,
  onCleanup,
  pageBlocks,
  phoneToken,
  runShell,
  startCluster,
  startProcess,
  until,
} from '@saoma/testing'
import { parseClients } from '../src/access/read-clients.ts'
import { createBrowser, logIn } from './relying-party.ts'

/* docs/applications.md: its code is run. */

/** applications-device.test.ts and applications-push.test.ts run these. */
const ELSEWHERE = ['A TV or a command line', "A login on the person's phone"]
const blocks = pageBlocks('docs/applications.md').filter(({ heading }) => !ELSEWHERE.includes(heading))
const block = (words: string): string => {
  const [found, ...more] = blocks.filter(({ code }) => code.includes(words))
  if (!found || more.length > 0) throw new Error(`the page has not one block with ${words}`)
  return found.code
}
const root = fileURLToPath(new URL('../../../', import.meta.url))
const command = fileURLToPath(new URL('../src/bin/client.ts', import.meta.url))
const hasPort = (port: number) => () =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true))
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
  })

test('whoever follows the page has an application that logs people in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-applications-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const port = await freePort()
  const here = (code: string) => code.replaceAll('4400', `${port}`)

  const add = here(block('client add')).replace('npm run saoma -- client', `'${process.execPath}' -- '${command}'`)
  const said = await runShell(add, { cwd: folder })
  const secret = /shown once: (\S+)/.exec(said)?.[1] ?? ''
  expect(block('npm start')).toContain('SAOMA_CLIENTS="$PWD/clients.json"')
  const cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: join(folder, 'clients.json') } })
  const program = here(block('openid-client')).replaceAll('127.0.0.1:8080', new URL(cluster.origin).host)
  await writeFile(join(folder, 'wiki.mjs'), program)
  expect(block('node wiki.mjs')).toContain('CLIENT_SECRET=')
  await startProcess({
    name: 'wiki.mjs',
    command: process.execPath,
    args: ['wiki.mjs'],
    cwd: folder,
    env: { CLIENT_SECRET: secret },
  })
  await until(hasPort(port), Boolean)

  const begin = () => fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' })
  const finish = async (answer: string, begun: Response) => {
    const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? ''
    return (await fetch(answer, { headers: { cookie } })).text()
  }
  const browser = createBrowser(cluster.origin)
  const first = await begin()
  const { location: page } = await browser.go(first.headers.get('location') ?? '')
  const answer = await logIn(browser, cluster.origin, page, await phoneToken(cluster.origin, 'ana'))
  expect(await finish(answer, first)).toMatch(/^Hello, ana\. Your id is \S{22}\.$/)
  const enter = async () => {
    const begun = await begin()
    const { location: reached } = await browser.go(begun.headers.get('location') ?? '')
    return reached.startsWith(cluster.origin) ? 'asked for a scan' : finish(reached, begun)
  }
  expect(await enter()).toContain('Hello, ana.')

  // Somebody cancels, and a stranger makes an address up. The program goes on.
  const cancelled = createBrowser(cluster.origin)
  const begun = await begin()
  const { location: asking } = await cancelled.go(begun.headers.get('location') ?? '')
  const { body } = await cancelled.post(`${asking}/abort`)
  expect(await finish((await cancelled.go(String(body.location))).location, begun)).toBe('You are not logged in.')
  expect((await fetch(`http://127.0.0.1:${port}/callback?code=x`)).status).toBe(403)

  const logout = await fetch(`http://127.0.0.1:${port}/logout`, { redirect: 'manual' })
  expect((await browser.go(logout.headers.get('location') ?? '')).location).toBe(`${cluster.origin}/oidc/logout`)
  const { xsrf } = JSON.parse((await browser.go('/oidc/logout/details')).text)
  const done = await browser.post('/oidc/session/end/confirm', { form: { xsrf, logout: 'yes' } })
  expect(done.headers.get('location')).toBe(`http://127.0.0.1:${port}/`)
  expect(await enter()).toBe('asked for a scan')
})

test('nodes take the file that the page shows', () => {
  const { clients, problems } = parseClients(block('"client_id"'))
  expect(problems).toEqual([])
  expect([...clients.keys()]).toEqual(['wiki'])
})

test('the table has each member of an entry', async () => {
  const page = await readFile(new URL('../../../docs/applications.md', import.meta.url), 'utf8')
  const source = await readFile(new URL('../src/access/read-clients.ts', import.meta.url), 'utf8')
  const entry = /const Entry = v\.strictObject\(\{\n(.*?)\n\}\)/s.exec(source)?.[1] ?? ''
  const members = [...entry.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name)
  const table = page.split('| member | meaning |')[1]?.split('\n\n')[0] ?? ''
  const named = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  expect(named.sort()).toEqual(members.sort())
})

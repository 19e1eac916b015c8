import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type Cluster,
  confirm,
  ensurePage,
  launchBrowser,
  onCleanup,
  pageFolder,
  phoneToken,
  request,
  scan,
  startCluster,
  startProcess,
  until,
} from '@saoma/testing'
import {
  type Application,
  applicationEnv,
  createFolder,
  documentedApplications,
  placeApplications,
  untilListening,
} from './documented-applications.ts'
import { createVisitor } from './visitor.ts'

/*
 * Applications of others, as npm has them, with the lines of docs/applications.md. Those of Debian are in
 * relying-parties-debian.test.ts.
 */

const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url))
/** Node-RED has 390 packages. `npm run relying-parties` installs it there, so not everybody has to. */
const apart = join(modules, '.cache/relying-parties/node_modules')
const hasNodeRed = existsSync(join(apart, 'node-red'))
const withNodeRed: jest.It = hasNodeRed ? test : test.skip
/** Those that run in one process. */
const EXPRESS = [
  ['express', 'express-openid-connect'],
  ['passport', 'passport-openidconnect'],
  ['authjs', 'Auth.js'],
] as const

const page = await readFile(new URL('../../../docs/applications.md', import.meta.url), 'utf8')
const rows = documentedApplications(page)
let cluster: Cluster
let applications: readonly Application[]
let ada: string

const at = (id: string): Application => {
  const found = applications.find((application) => application.id === id)
  if (!found) throw new Error(`the page has no application ${id}`)
  return found
}
/** The person of a phone's token. */
const subOf = (phone: string): string =>
  (JSON.parse(Buffer.from(phone.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }).sub

beforeAll(async () => {
  await ensurePage(() => {})
  applications = await placeApplications(rows.filter(({ from }) => from === 'npm'))
  const env = {
    SAOMA_CLIENTS: JSON.stringify(applications.map(({ entry }) => entry)),
    SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
    SAOMA_WEB_ROOT: pageFolder,
  }
  cluster = await startCluster({ nodes: 2, env })
  ada = await phoneToken(cluster.origin, 'Ada')

  const codes = EXPRESS.map(([id, heading]) => [`${id}.mjs`, at(id).codeOf(heading, cluster.origin)] as const)
  const files = { ...Object.fromEntries(codes), 'all.mjs': codes.map(([file]) => `import './${file}'\n`).join('') }
  const cwd = await createFolder(files)
  const args = ['all.mjs']
  await startProcess({ name: 'applications', command: process.execPath, args, cwd, env: applicationEnv() })
  for (const [id] of EXPRESS) await untilListening(at(id))
  await serveBoard()
}, 90_000)
afterAll(() => cluster.stop())

test('the table has the versions that are tested', async () => {
  const npm = rows.filter(({ from }) => from === 'npm')
  expect(npm.length).toBeGreaterThan(5)
  for (const { name, version } of npm) {
    if (name === 'node-red' && !hasNodeRed) continue
    const at = name === 'node-red' ? apart : modules
    const manifest = JSON.parse(await readFile(join(at, name, 'package.json'), 'utf8')) as { version: string }
    expect([name, version]).toEqual([name, manifest.version])
  }
})

/** The page at which Saoma asks for a scan. */
const asksForScan = ({ address }: { address: string }): boolean =>
  address.startsWith(`${cluster.origin}/oidc/interaction/`)
const endAll = (phone: string) => request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
const loginsOf = async (phone: string) =>
  (await request<{ sessions: unknown[] }>(`${cluster.origin}/v1/sessions`, { bearer: phone })).body.sessions

/** Opens an application until it greets the person. */
const enter = async (id: string, visitor = createVisitor(cluster.origin), phone = ada) => {
  const first = await visitor.go(at(id).origin, phone)
  // Auth.js has a page with a button before it goes to Saoma.
  const arrival = first.text.includes('<form') ? await visitor.press(first, phone) : first
  return { visitor, text: arrival.text }
}

test.each(EXPRESS)('%s: a scan logs a person in, and its next page asks for none', async (id) => {
  const { visitor, text } = await enter(id)
  expect(text).toBe('Hello, Ada.')
  expect((await visitor.go(at(id).origin)).text).toBe('Hello, Ada.')
  expect(visitor.scans).toBe(1)
})

test('one scan opens all of them, and the end of the session closes what comes next', async () => {
  const visitor = createVisitor(cluster.origin)
  const bea = await phoneToken(cluster.origin, 'Bea')
  for (const [id] of EXPRESS) expect((await enter(id, visitor, bea)).text).toBe('Hello, Bea.')
  expect(visitor.scans).toBe(1)
  await endAll(bea)
  // This one is told. The others go on with their own sessions.
  await until(() => visitor.go(at('express').origin), asksForScan)
  await enter('express', visitor, bea)
  expect(visitor.scans).toBe(2)
  // nginx gives each request to another node.
  expect(new Set(visitor.nodes).size).toBe(2)
})

test('express-openid-connect logs a person out at Saoma too, and the next login asks for a scan', async () => {
  const eve = await phoneToken(cluster.origin, 'Eve')
  const { visitor } = await enter('express', createVisitor(cluster.origin), eve)
  const left = await visitor.logOut(await visitor.go(`${at('express').origin}/logout`))
  // It returns to the application's page, which lets nobody in who is not logged in.
  expect(asksForScan(left)).toBe(true)
  expect(await loginsOf(eve)).toEqual([])
  expect((await enter('express', visitor, eve)).text).toBe('Hello, Eve.')
  expect(visitor.scans).toBe(2)
  // Nobody is logged in at Saoma any more: then nobody is asked.
  await endAll(eve)
  await until(() => visitor.go(at('express').origin), asksForScan)
  const page = await visitor.go(`${at('express').origin}/logout`)
  expect(asksForScan(await visitor.press(page))).toBe(true)
})

withNodeRed(
  'Node-RED lets those edit who are on its list (skipped where `npm run relying-parties` did not run)',
  async () => {
    const flows = at('flows')
    const code = flows.codeOf('Node-RED', cluster.origin).replace('V1StGXR8Z5jdHi6BmyTUaQ', subOf(ada))
    const cwd = await createFolder({ 'settings.js': code })
    await startProcess({
      name: 'node-red',
      command: process.execPath,
      args: [join(apart, 'node-red/red.js'), '--settings', 'settings.js', '--userDir', cwd],
      cwd,
      env: applicationEnv(),
      ready: ({ text }) => text.includes('Server now running at'),
      readyTimeoutMs: 40_000,
    })
    /** Logs in as the editor's button does. Resolves with the code for which the editor gets its token. */
    const codeFor = async (phone: string) => {
      const visitor = createVisitor(cluster.origin)
      const { address } = await visitor.go(`${flows.origin}/auth/strategy`, phone)
      expect(visitor.scans).toBe(1)
      // In Base64, and not encoded for an address.
      return /[?&]code=([^&]+)/.exec(address)?.[1]
    }
    const json = { code: await codeFor(ada) }
    const { body } = await request<{ accessToken?: string }>(`${flows.origin}/auth/token`, { json })
    expect(body).toHaveProperty('accessToken')
    expect((await request(`${flows.origin}/flows`)).status).toBe(401)
    expect((await request(`${flows.origin}/flows`, { bearer: body.accessToken ?? '' })).status).toBe(200)
    expect(await codeFor(await phoneToken(cluster.origin, 'Cid'))).toBeUndefined()
  },
)

test('whoever sets an application up reads what is wrong with it', async () => {
  const ask = (client_id: string, more: Record<string, string> = {}) => {
    const asked = {
      client_id,
      redirect_uri: `${at('express').origin}/callback`,
      response_type: 'code',
      scope: 'openid',
    }
    return createVisitor(cluster.origin).go(`${cluster.origin}/oidc/auth?${new URLSearchParams({ ...asked, ...more })}`)
  }
  expect((await ask('nobody')).text).toContain('no application is registered with this client_id')
  const elsewhere = await ask('express', { redirect_uri: `${at('express').origin}/callback/` })
  expect(elsewhere.text).toContain('not the registered one')
  expect(elsewhere.text).not.toContain(at('express').origin)
  // The rest is told to the application.
  const beyond = new URL((await ask('express', { scope: 'openid phone' })).address)
  expect([beyond.origin, beyond.searchParams.get('error')]).toEqual([at('express').origin, 'invalid_scope'])
  const other = await ask('express', { response_type: 'id_token', response_mode: 'form_post', nonce: 'n' })
  expect(other.text).toContain('value="unsupported_response_type"')
})

/** Serves the page of the application that has no server of its own. */
const serveBoard = async (): Promise<void> => {
  const { codeOf, port } = at('board')
  const imports = { 'oidc-client-ts': '/oidc-client-ts.js', 'jwt-decode': '/jwt-decode.js' }
  const html = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><body>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">${codeOf('oidc-client-ts', cluster.origin)}</script>`
  const scripts = new Map([
    ['/oidc-client-ts.js', await readFile(join(modules, 'oidc-client-ts/dist/esm/oidc-client-ts.js'))],
    ['/jwt-decode.js', await readFile(join(modules, 'jwt-decode/build/esm/index.js'))],
  ])
  const server = createServer(({ url = '' }, response) => {
    const script = scripts.get(url)
    response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html' }).end(script ?? html)
  }).listen(port, '127.0.0.1')
  onCleanup(() => server.close())
  await once(server, 'listening')
}

let browser: ReturnType<typeof launchBrowser> | undefined
/** A person opens the page in a browser of their own, and scans. */
const enterBoard = async (name: string) => {
  const phone = await phoneToken(cluster.origin, name)
  browser ??= launchBrowser()
  const tab = await (await browser).newPage({ locale: 'en-US' })
  const answerOf = (path: string) => tab.waitForResponse((response) => response.url() === cluster.origin + path)
  const asked = answerOf('/oidc/device/auth')
  await tab.goto(at('board').origin)
  await tab.getByRole('heading', { name: 'Log in to oidc-client-ts' }).waitFor()
  const { ticket } = (await (await asked).json()) as { ticket: string }
  await scan(cluster.origin, ticket, phone)
  await confirm(cluster.origin, ticket, phone)
  await tab.getByText(`Hello, ${name}.`).waitFor()
  expect(tab.url()).toBe(`${at('board').origin}/`)
  return { phone, tab, answerOf }
}

test('oidc-client-ts logs in in a browser, renews its tokens by itself, and hears of the end', async () => {
  const { phone, tab, answerOf } = await enterBoard('Dan')

  // From now on the page's clock is ours. Its tokens live for ten minutes.
  await tab.clock.install()
  await tab.reload()
  await tab.getByText('Hello, Dan.').waitFor()
  const sids = new Set<unknown>()
  for (let renewal = 0; renewal < 2; renewal++) {
    const renewed = answerOf('/oidc/token')
    await tab.clock.fastForward('09:30')
    const { id_token = '' } = (await (await renewed).json()) as { id_token?: string }
    sids.add((JSON.parse(Buffer.from(id_token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }).sid)
  }
  expect(sids.size).toBe(1)
  await endAll(phone)
  const refused = answerOf('/oidc/token')
  await tab.clock.fastForward('09:30')
  expect((await refused).status()).toBe(400)
  await tab.waitForURL(`${cluster.origin}/oidc/interaction/*`)
})

test('oidc-client-ts logs out in a browser, and the next login asks for a scan', async () => {
  const { phone, tab } = await enterBoard('Fay')
  await tab.getByRole('button', { name: 'Log out' }).click()
  await tab.getByText('oidc-client-ts asks this.').waitFor()
  await tab.getByRole('button', { name: 'Log out', exact: true }).click()
  // It returns to the page, which asks at once.
  await tab.getByRole('heading', { name: 'Log in to oidc-client-ts' }).waitFor()
  expect(await loginsOf(phone)).toEqual([])
  // Whoever goes back to the page is still logged out.
  await tab.goto(at('board').origin)
  await tab.getByRole('heading', { name: 'Log in to oidc-client-ts' }).waitFor()
})

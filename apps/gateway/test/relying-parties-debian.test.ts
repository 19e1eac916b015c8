import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRedis } from '@saoma/redis'
import { type Cluster, phoneToken, request, startCluster, startProcess, until } from '@saoma/testing'
import { hasApache, startApache } from './apache.ts'
import {
  type Application,
  applicationEnv,
  createFolder,
  documentedApplications,
  placeApplications,
  untilListening,
} from './documented-applications.ts'
import { createVisitor } from './visitor.ts'

/* Applications of Debian, with the lines of docs/applications.md. What is not installed is skipped. */

const isWithApache = hasApache()
const withApache: jest.It = isWithApache ? test : test.skip
/** The one of the system, which has Debian's packages. */
const PYTHON = '/usr/bin/python3'
const hasAuthlib = spawnSync(PYTHON, ['-c', 'import authlib, flask, requests'], { stdio: 'ignore' }).status === 0
const withAuthlib: jest.It = hasAuthlib ? test : test.skip
// applications-device.test.ts runs it.
const hasAgent = spawnSync('oidc-agent', ['--version']).status === 0

const page = await readFile(new URL('../../../docs/applications.md', import.meta.url), 'utf8')
const rows = documentedApplications(page).filter(({ from }) => from === 'Debian 12')
let cluster: Cluster
let applications: readonly Application[]
let ada: string
/** The address of Apache's protected page. */
let protectedPage: string

const at = (id: string): Application => {
  const found = applications.find((application) => application.id === id)
  if (!found) throw new Error(`the page has no application ${id}`)
  return found
}

beforeAll(async () => {
  if (!isWithApache && !hasAuthlib) return
  applications = await placeApplications(rows)
  const SAOMA_CLIENTS = JSON.stringify(applications.map(({ entry }) => entry))
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS, SAOMA_APPLICATION_NETWORKS: '127.0.0.1' } })
  ada = await phoneToken(cluster.origin, 'Ada')
  if (isWithApache) protectedPage = await startApache(at('apache'), cluster.origin)
})
afterAll(() => cluster?.stop())

const isDebian12 = existsSync('/etc/os-release') && /^VERSION_ID="12"$/m.test(await readFile('/etc/os-release', 'utf8'))
const onDebian12: jest.It = isDebian12 && isWithApache && hasAuthlib && hasAgent ? test : test.skip

onDebian12('the table has the versions of Debian 12 (skipped elsewhere)', () => {
  expect(rows.length).toBeGreaterThan(1)
  for (const { name, version } of rows) {
    const { stdout } = spawnSync('dpkg', ['--status', name], { encoding: 'utf8' })
    // Behind the first dash is what Debian changed.
    expect([name, /^Version: ([^-\n]+)/m.exec(stdout)?.[1]]).toEqual([name, version])
  }
})

/** The page at which Saoma asks for a scan. */
const asksForScan = ({ address }: { address: string }): boolean =>
  address.startsWith(`${cluster.origin}/oidc/interaction/`)
const loginsOf = async (phone: string) =>
  (await request<{ sessions: { sid: string }[] }>(`${cluster.origin}/v1/sessions`, { bearer: phone })).body.sessions

type Ring = { kid: string; signsFrom: number; sealed: string }[]

/**
 * Changes the keys that sign id tokens of applications, as they are stored. Resolves with what they were.
 */
const changeRing = async (change: (ring: Ring) => Ring | undefined): Promise<Ring> => {
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  const at = keys.signingKeys('RS256')
  const ring = JSON.parse((await data.get(at)) ?? '[]') as Ring
  const changed = change(ring)
  await (changed ? data.set(at, JSON.stringify(changed)) : data.del(at))
  await close()
  return ring
}
const older = (ms: number) => (ring: Ring) => ring.map((key) => ({ ...key, signsFrom: key.signsFrom - ms }))
/** The published keys of a node, the one that signs first. */
const published = async (node: { origin: string }): Promise<string[]> => {
  const { body } = await request<{ keys: { kid: string; alg: string }[] }>(`${node.origin}/oidc/jwks`)
  return body.keys.filter(({ alg }) => alg === 'RS256').map(({ kid }) => kid)
}
const untilPublished = (isWanted: (kids: string[]) => boolean) =>
  Promise.all(cluster.nodes.map((node) => until(() => published(node), isWanted)))

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

withApache('mod_auth_openidc logs in, and goes on when keys change (skipped without it)', async () => {
  const nodes = new Set<string>()
  const enter = async () => {
    const visitor = createVisitor(cluster.origin)
    const { text } = await visitor.go(protectedPage, ada)
    expect(visitor.scans).toBe(1)
    for (const node of visitor.nodes) nodes.add(node)
    return text
  }
  expect(await enter()).toMatch(/^Hello, Ada\. You are [\w-]{22}\.$/)
  // The key has become old: there is a successor, which does not sign yet.
  const [old] = await changeRing(older(31 * DAY_MS))
  await untilPublished(([first, ...more]) => first === old?.kid && more.length === 1)
  expect(await enter()).toContain('Hello, Ada.')
  // An hour later it does.
  const [, next] = await changeRing(older(2 * HOUR_MS))
  await untilPublished(([first]) => first === next?.kid)
  expect(await enter()).toContain('Hello, Ada.')
  // An operator has deleted the keys, so the next one signs at once.
  await changeRing(() => undefined)
  await untilPublished((kids) => kids.length === 1 && kids[0] !== next?.kid)
  expect(await enter()).toContain('Hello, Ada.')
  expect(nodes.size).toBe(2)
})

withApache('mod_auth_openidc logs a person out, at Saoma too (skipped without it)', async () => {
  const bea = await phoneToken(cluster.origin, 'Bea')
  const visitor = createVisitor(cluster.origin)
  expect((await visitor.go(protectedPage, bea)).text).toContain('Hello, Bea.')
  const asked = await visitor.go(`${at('apache').origin}/protected/callback?logout=`)
  const left = await visitor.logOut(asked)
  expect([left.address, left.text]).toEqual([`${at('apache').origin}/`, 'Everybody may read this.'])
  expect(await loginsOf(bea)).toEqual([])
  expect(asksForScan(await visitor.go(protectedPage))).toBe(true)
})

withApache('mod_auth_openidc is told when a session ends, and of that one only (skipped without it)', async () => {
  const cid = await phoneToken(cluster.origin, 'Cid')
  const [visitor, other] = [createVisitor(cluster.origin), createVisitor(cluster.origin)]
  expect((await visitor.go(protectedPage, cid)).text).toContain('Hello, Cid.')
  const [login] = await loginsOf(cid)
  expect((await other.go(protectedPage, cid)).text).toContain('Hello, Cid.')
  expect((await visitor.go(protectedPage)).text).toContain('Hello, Cid.')
  await request(`${cluster.origin}/v1/sessions/${login?.sid}`, { method: 'DELETE', bearer: cid })
  await until(() => visitor.go(protectedPage), asksForScan)
  expect((await other.go(protectedPage)).text).toContain('Hello, Cid.')
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: cid })
  await until(() => other.go(protectedPage), asksForScan)
})

withAuthlib('Authlib in Flask logs in (skipped without python3-authlib, -flask, -requests)', async () => {
  const flask = at('flask')
  const cwd = await createFolder({ 'wiki.py': flask.codeOf('Authlib', cluster.origin) })
  const args = ['-m', 'flask', '--app', 'wiki', 'run', '--port', `${flask.port}`]
  await startProcess({ name: 'flask', command: PYTHON, args, cwd, env: applicationEnv() })
  await untilListening(flask)
  const visitor = createVisitor(cluster.origin)
  expect((await visitor.go(flask.origin, ada)).text).toBe('Hello, Ada.')
  expect((await visitor.go(flask.origin)).text).toBe('Hello, Ada.')
  expect(visitor.scans).toBe(1)
})

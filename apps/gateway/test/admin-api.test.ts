import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import {
  createTicket,
  documented,
  type Gateway,
  publish,
  request,
  runShell,
  startGateway,
  startRedis,
  testAdminKey,
  until,
} from '@saoma/testing'
import * as v from 'valibot'
import { adminClusterOperations } from '../src/api/admin-cluster-routes.ts'
import { createOpenApi } from '../src/api/openapi.ts'

let a: Gateway
let b: Gateway
const CHANNEL = 'room:table-1'

beforeAll(async () => {
  const { url } = await startRedis()
  const start = (nodeId: string) => startGateway({ redisUrl: url, nodeId, origin: 'http://admin.test' })
  ;[a, b] = await Promise.all([start('a'), start('b')])
  for (let data = 0; data < 5; data++) await publish(a.origin, { channel: CHANNEL, event: 'n', data })
  await createTicket(a.origin)
  await until(
    () =>
      request<{ logins: object[]; nodes: object[] }>(`${a.internalOrigin}/v1/admin/nodes`, { bearer: testAdminKey }),
    ({ body }) => body.nodes.length === 2,
  )
})

test('every route of an administrator is in the document', () => {
  const folder = new URL('../src/admin/', import.meta.url)
  const routes = readdirSync(folder)
    .flatMap((file) => [
      ...readFileSync(new URL(file, folder), 'utf8').matchAll(/router\.(get|post|put|delete)\(\s*'([^']+)'/g),
    ])
    .map(([, method, path = '']) => `${method} /v1/admin${path.replace(/:(\w+)/g, '{$1}')}`)
  const { paths } = createOpenApi('1.0.0') as { paths: Record<string, object> }
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  expect(routes.length).toBeGreaterThan(8)
  expect(described).toEqual(expect.arrayContaining(routes))
})

test('the answers are as the document says, without further members', async () => {
  await until(
    () => request<{ logins: object[] }>(`${a.internalOrigin}/v1/admin/logins?state=live`, { bearer: testAdminKey }),
    ({ body }) => body.logins.length > 0,
  )
  const queries: Record<string, string> = {
    'DELETE /v1/admin/channels/{channel}/messages': '?before=2',
    'GET /v1/admin/channels/{channel}/messages': '?limit=1',
  }
  for (const [route, operation] of Object.entries(adminClusterOperations)) {
    const [method = '', path = ''] = route.split(' ')
    // Somebody must be left.
    if (method === 'POST') continue
    for (const query of [queries[route] ?? '', ...(path.endsWith('/logins') ? ['?state=live'] : [])]) {
      const address = `${a.internalOrigin}${path.replace('{channel}', CHANNEL)}${query}`
      const { status, body } = await request(address, { method, bearer: testAdminKey })
      expect([route, status]).toEqual([route, 200])
      expect([route, v.parse(operation.answers[200].json, body)]).toEqual([route, body])
    }
  }
})

test('the commands of the page do what it says', async () => {
  const [block] = documented('docs/operate.md', "The administrators' API")
  const printed: Record<string, unknown>[] = []
  for (const line of (block?.code ?? '').split('\n').filter((one) => one.startsWith('curl'))) {
    const command = line.replace('http://127.0.0.1:9090', a.internalOrigin)
    printed.push(JSON.parse(await runShell(command, { cwd: tmpdir(), env: { KEY: testAdminKey } })))
  }
  expect(printed).toMatchObject([
    { nodes: [{ id: 'a' }, { id: 'b', answers: true }] },
    { logins: [{ state: 'pending' }] },
    { channels: [{ channel: CHANNEL }] },
    { channel: CHANNEL, messages: expect.any(Array) },
    { oldest: 4, messages: 2 },
    { id: 'b', draining: true },
  ])
  expect(await b.exited).toEqual({ code: 0, signal: null })
})

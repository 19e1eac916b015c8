import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import {
  type Answer,
  confirm,
  createTicket,
  type Gateway,
  phoneToken,
  publish,
  type RequestOptions,
  redeem,
  reject,
  request,
  scan,
  startGateway,
  startRedis,
  testApiKey,
  webToken,
} from '@saoma/testing'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { signDiagnosis } from '../src/access/diagnosis-token.ts'
import { operations } from '../src/api/openapi.ts'
import { arbitraryOf, documents, type Json, membersOf, oddBodies, partOf, sent, validatorAt } from './api-oracle.ts'
import { seed } from './fixtures.ts'
import { testClients } from './relying-party.ts'

let node: Gateway

beforeAll(async () => {
  const { url } = await startRedis()
  // No rate may answer in the place of a parser.
  const env = { SAOMA_LIMIT_EVENTS: '1000000', SAOMA_LIMIT_PERSON_MESSAGES: '1000000', SAOMA_CLIENTS: testClients }
  node = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://api.test', env })
})

const routes = Object.keys(operations).map((route) => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path }
})

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

/** The keys that lead to an operation of the document. */
const placeOf = (route: string): string[] => {
  const [method = '', path = ''] = route.split(' ')
  return ['paths', path, method.toLowerCase()]
}

/** Fails unless the document has this answer of the route. Returns the code of a problem. */
const expectDocumented = (route: string, { status, headers, body }: Answer): string | undefined => {
  const type = headers.get('content-type')?.split(';')[0] ?? ''
  const place = [...placeOf(route), 'responses', String(status), 'content', type]
  const media = partOf('openapi', place)
  expect({ route, status, type, isDocumented: media !== undefined }).toMatchObject({ isDocumented: true })
  if (!type.endsWith('json')) return undefined
  const validate = validatorAt('openapi', [...place, 'schema'])
  const isValid = validate(body)
  expect({ route, status, body, isValid, errors: validate.errors }).toMatchObject({ isValid: true })
  return (body as { code?: string }).code
}

const call = async (route: string, path: string, options: RequestOptions = {}): Promise<Answer> => {
  const [method = ''] = route.split(' ')
  const answer = await request(`${node.origin}${path}`, { ...options, method })
  expectDocumented(route, answer)
  return answer
}

const isInvalid = ({ status }: Answer): boolean => status === 422 || status === 400

describe('the documents', () => {
  test.each(['openapi', 'asyncapi'] as const)('%s.json is what npm run api writes', (name) => {
    expect(JSON.parse(read(`../../web/public/docs/${name}.json`))).toEqual(documents[name])
  })

  test('the schemas of OpenAPI and of AsyncAPI take them', async () => {
    expect(await new Validator().validate({ ...documents.openapi })).toEqual({ valid: true })

    const load = createRequire(import.meta.url)
    const schema: object = load('@asyncapi/specs/schemas/3.0.0-without-$id.json')
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
    expect({ valid: validate(documents.asyncapi), errors: validate.errors }).toEqual({ valid: true, errors: null })
  })

  test.each(['openapi', 'asyncapi'] as const)('an independent linter finds no fault in %s.json', async (name) => {
    const config = await createConfig({ extends: ['spec'] })
    const source = JSON.stringify(documents[name])
    const problems = await lintFromString({ source, absoluteRef: `/${name}.json`, config })
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
  })

  test('a validator refuses a document with a fault', async () => {
    const faulty = { ...documents.openapi, paths: { '/v1/link': { get: { responses: { 200: {} } } } } }
    expect(await new Validator().validate(faulty)).toMatchObject({ valid: false })
    const config = await createConfig({ extends: ['spec'] })
    expect(await lintFromString({ source: JSON.stringify(faulty), absoluteRef: '/a.json', config })).not.toEqual([])
  })
})

describe('the routes', () => {
  test('the document has each route of ours that the sources have, and no other', () => {
    const sources = new URL('../src/', import.meta.url)
    const declared = readdirSync(sources, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(new URL(file, sources), 'utf8'))
      .flatMap((text) => {
        const prefix = /prefix: '(\/v1|\/oidc)'/.exec(text)?.[1]
        const found = prefix ? [...text.matchAll(/router\.(get|post|put|patch|delete)\(\s*'([^']+)'/g)] : []
        return found.map(
          ([, method = '', path = '']) => `${method.toUpperCase()} ${prefix}${path.replace(/:\w+/g, '{}')}`,
        )
      })
    expect(declared.length).toBeGreaterThan(20)
    expect(routes.map(({ route }) => route.replace(/\{\w+\}/g, '{}')).sort()).toEqual(declared.sort())
  })

  test.each(routes)('$route is there, and answers a stranger as documented', async ({ route, path }) => {
    const answer = await call(route, path.replace(/\{\w+\}/g, 'x'))
    const { code } = answer.body as { code?: string }
    // To strangers this one looks as if it were not there.
    if (route === 'GET /v1/diagnosis') return expect(code).toBe('NOT_FOUND')
    expect(['NOT_FOUND', 'METHOD_NOT_ALLOWED']).not.toContain(code)
  })

  test('an address has no method besides those of the document', async () => {
    for (const path of new Set(routes.map((route) => route.path)))
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        if (routes.some((route) => route.path === path && route.method === method)) continue
        const { body } = await request(`${node.origin}${path.replace(/\{\w+\}/g, 'x')}`, { method })
        expect({ method, path, body }).toMatchObject({ body: { code: 'METHOD_NOT_ALLOWED' } })
      }
  })
})

/** How a test calls a route with a body, and what a body has to be for the route to do something. */
interface Sender {
  path: string | (() => string)
  bearer: () => Promise<string>
  steer?: (body: Json, turn: number) => Json
}

const person = async () => (await webToken(node.origin, 'ada')).access_token
const senders: Record<string, Sender> = {
  'POST /v1/publish': {
    path: '/v1/publish',
    bearer: person,
    // Few of the channels that are drawn are open.
    steer: (body, turn) => (turn % 2 === 0 ? { ...body, channel: 'room:open-api' } : body),
  },
  'POST /v1/channels/{channel}/read': { path: '/v1/channels/@user/read', bearer: person },
  'POST /v1/users/{user}/end': { path: '/v1/users/nobody/end', bearer: async () => testApiKey },
  'POST /v1/tickets/{ticket}/confirm': {
    // Calls are counted for each ticket, and these are many.
    path: () => `/v1/tickets/${randomBytes(16).toString('base64url')}/confirm`,
    bearer: () => phoneToken(node.origin, 'fay'),
  },
  'POST /v1/user-codes': { path: '/v1/user-codes', bearer: person },
  'POST /v1/codes/{scene}': {
    path: `/v1/codes/${'s'.repeat(24)}`,
    bearer: () => phoneToken(node.origin, 'ben'),
  },
  'POST /v1/mesh/publish': {
    path: '/v1/mesh/publish',
    bearer: async () => testApiKey,
    // Whether text is base64 is not for the schema to say, but for the description.
    steer: ({ t: _, ...body }) => body,
  },
}

const bodySchema = (route: string): Json => {
  const schema = partOf('openapi', [...placeOf(route), 'requestBody', 'content', 'application/json', 'schema']) as Json
  // Of one message or several: one. Several are below.
  return Array.isArray(schema.anyOf) ? schema.anyOf[0] : schema
}

describe('bodies', () => {
  test('each route with a body is tried', () => {
    const withBody = routes.filter(({ route }) => partOf('openapi', [...placeOf(route), 'requestBody']) !== undefined)
    expect(withBody.map(({ route }) => route).sort()).toEqual(Object.keys(senders).sort())
  })

  test.each(Object.entries(senders))('%s takes what the document allows, and nothing else', async (route, sender) => {
    const { path, steer = (body) => body } = sender
    const bearer = await sender.bearer()
    const schema = bodySchema(route)
    const validate = validatorAt('openapi', [
      ...placeOf(route),
      ...['requestBody', 'content', 'application/json', 'schema'],
    ])
    const drawn = fc.sample(arbitraryOf('openapi', schema) as fc.Arbitrary<Json>, { numRuns: 6, seed })
    const bodies = drawn.flatMap((body, turn) => oddBodies(steer(body, turn), membersOf('openapi', schema)))
    const verdicts = { taken: 0, refused: 0 }
    for (const json of [...bodies, null, 1, 'text', true]) {
      const isAllowed = validate(sent(json))
      const answer = await call(route, typeof path === 'string' ? path : path(), { bearer, json })
      expect({ seed, route, json, isAllowed, answer: answer.body, isTaken: !isInvalid(answer) }).toMatchObject({
        isTaken: isAllowed,
      })
      verdicts[isAllowed ? 'taken' : 'refused']++
    }
    // Else the test would prove half of it.
    expect(verdicts.taken).toBeGreaterThan(5)
    expect(verdicts.refused).toBeGreaterThan(5)
  })

  test('an array of messages has at most so many as documented, and is answered one by one', async () => {
    const route = 'POST /v1/publish'
    const good = { channel: 'room:open-api', event: 'e', data: 1 }
    const schema = ['requestBody', 'content', 'application/json', 'schema']
    const validate = validatorAt('openapi', [...placeOf(route), ...schema])
    for (const count of [0, 1, 100, 101]) {
      const json = Array.from({ length: count }, () => good)
      const answer = await call(route, '/v1/publish', { bearer: testApiKey, json })
      expect({ count, isTaken: !isInvalid(answer) }).toEqual({ count, isTaken: validate(json) })
    }
    const { body } = await call(route, '/v1/publish', { bearer: testApiKey, json: [good, { ...good, event: '' }] })
    expect(body).toMatchObject([{ ok: true }, { ok: false, code: 'INVALID' }])
  })
})

describe('queries', () => {
  const odd = ['0', '1', '007', '-1', '1.5', ' 1', '', 'x', 'current', '9'.repeat(15), '9'.repeat(16), 'a b', '@user']
  const places = ['room:open-api', 'room:with space', 'room:open-api;e', 'room:open-api;e;1', 'room:open-api;e;1;2']

  test('each parameter takes what the document allows, and nothing else', async () => {
    await publish(node.origin, { channel: 'room:open-api', event: 'e', data: 1 })
    const { ticket, device_code } = await createTicket(node.origin)
    const bearer = await person()
    const phone = await phoneToken(node.origin, 'gil')
    const own = `/v1/tickets/${ticket}`
    const room = '/v1/channels/room:open-api/messages'
    const many = '/v1/messages?channel='
    /** A request with one parameter. What is held by it would be held for 25 s, so nothing is. */
    const tried: [route: string, name: string, bearer: string, path: (value: string) => string][] = [
      ['GET /v1/tickets/{ticket}', 'after', device_code, (value) => `${own}?wait=0&after=${value}`],
      ['GET /v1/tickets/{ticket}', 'wait', device_code, (value) => `${own}?after=0&wait=${value}`],
      ['GET /v1/tickets/{ticket}/qr', 'opens', '', (value) => `${own}/qr?opens=${value}`],
      ['POST /v1/tickets/{ticket}/scan', 'listed', phone, (value) => `${own}/scan?listed=${value}`],
      ['GET /v1/channels/{channel}/messages', 'epoch', bearer, (value) => `${room}?after=1&epoch=${value}`],
      ['GET /v1/channels/{channel}/messages', 'after', bearer, (value) => `${room}?epoch=e&after=${value}`],
      ['GET /v1/channels/{channel}/messages', 'limit', bearer, (value) => `${room}?limit=${value}`],
      ['GET /v1/channels/{channel}/messages', 'wait', bearer, (value) => `${room}?wait=${value}`],
      ['GET /v1/messages', 'channel', bearer, (value) => `${many}${value}`],
      ['GET /v1/messages', 'limit', bearer, (value) => `${many}room:open-api&limit=${value}`],
      ['GET /v1/messages', 'wait', bearer, (value) => `${many}room:open-api&limit=1&wait=${value}`],
      ['DELETE /v1/channels/{channel}/messages', 'before', testApiKey, (value) => `${room}?before=${value}`],
      ['GET /v1/me/activity', 'limit', bearer, (value) => `/v1/me/activity?limit=${value}`],
      ['GET /v1/me/activity', 'cursor', bearer, (value) => `/v1/me/activity?cursor=${value}`],
      ['DELETE /v1/sessions', 'keep', bearer, (value) => `/v1/sessions?keep=${value}`],
    ]
    const documented = routes.flatMap(({ route }) =>
      ((partOf('openapi', [...placeOf(route), 'parameters']) ?? []) as { name: string; in: string }[])
        .filter((parameter) => parameter.in === 'query')
        .map(({ name }) => `${route} ${name}`),
    )
    expect(tried.map(([route, name]) => `${route} ${name}`).sort()).toEqual(documented.sort())

    for (const [route, name, token, path] of tried) {
      const parameters = partOf('openapi', [...placeOf(route), 'parameters']) as { name: string; in: string }[]
      const at = parameters.findIndex((parameter) => parameter.name === name && parameter.in === 'query')
      const validate = validatorAt('openapi', [...placeOf(route), 'parameters', String(at), 'schema'])
      for (const value of [...odd, ...places]) {
        const isAllowed = validate(name === 'channel' ? [value] : value)
        const answer = await call(route, path(encodeURIComponent(value)), { bearer: token })
        expect({ route, name, value, isTaken: !isInvalid(answer), answer: answer.body }).toMatchObject({
          isTaken: isAllowed,
        })
      }
    }
  })
})

test('a login and a channel are answered as documented', async () => {
  const { origin } = node
  const phone = await phoneToken(origin, 'eve')
  const { ticket, device_code: deviceCode, user_code: userCode } = await createTicket(origin)
  const own = `/v1/tickets/${ticket}`
  const granted = async (route: string, path: string, options: RequestOptions = {}, status = 200) => {
    const answer = await call(route, path, options)
    expect({ route, status: answer.status }).toEqual({ route, status })
    return answer
  }
  await granted('GET /v1/tickets/{ticket}/qr', `${own}/qr`)
  await granted('GET /v1/tickets/{ticket}/qr', `${own}/qr`, { headers: { accept: 'application/json' } })
  await granted('POST /v1/tickets/{ticket}/link', `${own}/link`, { bearer: deviceCode })
  await granted('GET /v1/link', '/v1/link')
  const proof = signDiagnosis('a secret of tests, which nobody keeps', 'api.test', Date.now())
  await granted('GET /v1/diagnosis', '/v1/diagnosis', { bearer: proof })
  await granted('GET /v1/tickets/{ticket}', own, { bearer: deviceCode })
  const headers = { cookie: `saoma_${ticket}=${deviceCode}` }
  await granted('POST /v1/tickets/{ticket}/resume', `${own}/resume`, { headers })
  await granted('GET /v1/user-codes/{user_code}', `/v1/user-codes/${userCode}`, { bearer: phone })
  const kiosk = await createTicket(origin, { form: { client_id: 'kiosk', scope: 'openid' } })
  // The network of the test has tried too many.
  const elsewhere = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.7' }
  const type = (typed: string) => ({ json: { userCode: typed }, headers: elsewhere })
  await granted('POST /v1/user-codes', '/v1/user-codes', type(kiosk.user_code))
  await granted('POST /v1/user-codes', '/v1/user-codes', type(userCode), 404)
  expectDocumented('POST /v1/tickets/{ticket}/scan', await scan(origin, kiosk.ticket, phone))
  await granted('POST /v1/tickets/{ticket}/scan', `${own}/scan`, { bearer: phone })
  await granted('POST /v1/tickets/{ticket}/confirm', `${own}/confirm`, { bearer: phone })
  const mallory = await phoneToken(origin, 'mallory')
  await granted('POST /v1/tickets/{ticket}/confirm', `${own}/confirm`, { bearer: mallory }, 409)
  expectDocumented('POST /v1/tickets/{ticket}/confirm', await confirm(origin, ticket, phone))
  const declined = await createTicket(origin)
  expectDocumented('POST /v1/tickets/{ticket}/scan', await scan(origin, declined.ticket, phone))
  expectDocumented('POST /v1/tickets/{ticket}/reject', await reject(origin, declined.ticket, phone))
  const { body: tokens } = await redeem(origin, deviceCode)
  const bearer = tokens.access_token
  await granted('GET /v1/tickets/{ticket}', own, { bearer: deviceCode }, 410)

  const json = { channel: 'room:open-api', event: 'e', data: { a: 1 } }
  await granted('POST /v1/publish', '/v1/publish', { bearer, json })
  await granted('POST /v1/publish', '/v1/publish', { bearer, json: { ...json, volatile: true } })
  await granted('GET /v1/channels/{channel}/messages', '/v1/channels/room:open-api/messages', { bearer })
  await granted('GET /v1/messages', '/v1/messages?channel=room:open-api&channel=@user', { bearer })
  await granted('GET /v1/channels/{channel}/presence', '/v1/channels/room:open-api/presence', { bearer })
  await granted('GET /v1/channels/{channel}/inbox', '/v1/channels/@user/inbox', { bearer })
  await granted('POST /v1/channels/{channel}/read', '/v1/channels/@user/read', { bearer, json: { offset: 1 } })
  const before = '/v1/channels/room:open-api/messages?before=2'
  await granted('DELETE /v1/channels/{channel}/messages', before, { bearer: testApiKey })
  const mesh = { bearer: testApiKey, json: { c: 'room:open-api', d: 'text' } }
  await granted('POST /v1/mesh/publish', '/v1/mesh/publish', mesh)

  const { body } = await granted('GET /v1/sessions', '/v1/sessions', { bearer })
  const { sessions } = body as { sessions: { sid: string }[] }
  await granted('GET /oidc/me', '/oidc/me', { bearer })
  await granted('POST /oidc/me', '/oidc/me', { bearer: phone })
  await granted('GET /v1/me/activity', '/v1/me/activity', { bearer: phone })
  await granted('GET /v1/me/activity', '/v1/me/activity?limit=1', { bearer })
  await granted('DELETE /v1/sessions/{sid}', `/v1/sessions/${'x'.repeat(22)}`, { bearer }, 404)
  await granted('DELETE /v1/sessions/{sid}', `/v1/sessions/${sessions[0]?.sid}`, { bearer })
  await granted('DELETE /v1/sessions', '/v1/sessions', { bearer: phone })
  await granted('POST /v1/users/{user}/end', '/v1/users/nobody/end', { bearer: testApiKey }, 202)
})

import type { ServerResponse } from 'node:http'
import { createAccountHook } from '../src/login/account-hook.ts'
import { createLog } from '../src/operate/log.ts'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'

const log = createLog({ level: 'silent', node: 'test' })
const identity = { provider: 'demo', app: '', id: 'ann' } as const
const question = { identity, from: '203.0.113.7' }

const LEVEL = 'https://shop.example.com/level'

const serve = async (answer: BusinessServer['answer'], when: 'birth' | 'login', to = log) => {
  const server = await startBusinessServer(answer)
  const secret = 'sixteen characters'
  return { server, hook: createAccountHook({ url: server.url, secret, when, ownClaims: [LEVEL] }, to) }
}

test('asked at birth it hears of nobody who has an account', async () => {
  const { server, hook } = await serve(json({ allow: true }), 'birth')
  expect(await hook.decide(question, { isNew: false, sub: 's' })).toBeUndefined()
  expect(await hook.decide(question, { isNew: true })).toEqual({ allow: true })
  // An account that was lost is born again.
  expect(await hook.decide(question, { isNew: true, sub: 's' })).toEqual({ allow: true })
  expect(server.questions.map(({ body }) => body)).toEqual([
    { action: 'birth', identity },
    { action: 'birth', identity, sub: 's' },
  ])
})

test('asked at each login it is told the sub, and may say no', async () => {
  const { server, hook } = await serve(json({ allow: false, detail: 'Your contract has ended.' }), 'login')
  expect(await hook.decide(question, { isNew: false, sub: 's' })).toEqual({
    allow: false,
    why: 'ACCOUNT_REFUSED',
    detail: 'Your contract has ended.',
  })
  expect(server.questions[0]?.body).toEqual({ action: 'login', identity, sub: 's' })
})

test('it is told the number that WeChat has told', async () => {
  const { server, hook } = await serve(json({ allow: true }), 'birth')
  await hook.decide({ ...question, phoneNumber: '+8613800138000' }, { isNew: true })
  expect(server.questions[0]?.body).toEqual({ action: 'birth', identity, phone_number: '+8613800138000' })
})

test('a business that is down is asked again only after a pause, and never counts as a yes', async () => {
  const { server, hook } = await serve(json({}, 503), 'login')
  const no = { allow: false, why: 'BACKEND_UNAVAILABLE' }
  expect(await hook.decide(question, { isNew: true })).toEqual(no)
  expect(await hook.decide(question, { isNew: true })).toEqual(no)
  expect(await hook.decide(question, { isNew: false, sub: 's' })).toEqual(no)
  expect(server.questions).toHaveLength(1)
})

/** Answers 200 with these headers, and then what `write` writes. */
const raw =
  (headers: Record<string, string>, write: (res: ServerResponse) => void): BusinessServer['answer'] =>
  (res) => {
    res.writeHead(200, { 'content-type': 'application/json', ...headers })
    write(res)
  }
const yes = (more: object) => json({ allow: true, ...more })

describe.each(['birth', 'login'] as const)('asked at each %s', (when) => {
  test.each<[what: string, answer: BusinessServer['answer'], reason: string]>([
    ['1 MB', raw({}, (res) => res.end(`{"allow":true,"claims":{"name":"${'secret'.repeat(200_000)}"}}`)), ''],
    ['endless bytes', raw({}, (res) => void setInterval(() => res.write(' '.repeat(10_000)), 1).unref()), ''],
    ['a redirect', (res) => res.writeHead(307, { location: '/secret' }).end('{"allow":true}'), 'status 307'],
    ['a created yes', json({ allow: true }, 201), 'status 201'],
    ['a sub with a slash', yes({ sub: 'secret/..' }), 'body: sub (must have 1 to 128 of'],
    ['a sub that no address can name', yes({ sub: '..' }), 'body: sub (must have 1 to 128 of'],
    ['a sub that is a number', yes({ sub: 1001 }), 'body: sub (string)'],
    ['a sub of 10,000', yes({ sub: 'secret'.repeat(2_000) }), 'body: sub (must have 1 to 128 of'],
    ['a claim of the protocol', yes({ claims: { sub: 'secret' } }), 'body: claims.sub (not known)'],
    ['an issuer', yes({ claims: { iss: 'secret' } }), 'body: claims.iss (not known)'],
    [
      'a prototype',
      raw({}, (res) => res.end('{"allow":true,"claims":{"__proto__":{"name":"secret"}}}')),
      'body: claims.__proto__ (not known)',
    ],
    ['a verified number', yes({ claims: { phone_number_verified: true } }), 'body: claims.phone_number_verified'],
    ['too many claims', yes({ claims: { [LEVEL]: 'secret'.repeat(1_000) } }), 'body: claims (must have at most 4096'],
    ['a long name of a member', yes({ ['x'.repeat(5_000)]: 'secret' }), `body: ${'x'.repeat(100)} (not known)`],
    ['both', json({ allow: false, sub: 'secret' }), 'body: sub (not known)'],
    ['a list', json([{ allow: true }]), 'body'],
    ['a word', json('secret'), 'body'],
  ])('%s is no yes, and the log says why in a word', async (_, answer, reason) => {
    const said: string[] = []
    const { server, hook } = await serve(
      answer,
      when,
      createLog({ level: 'info', node: 'test' }, { write: (line: string) => said.push(line) }),
    )
    const known = when === 'birth' ? { isNew: true } : { isNew: false, sub: 's' }
    const no = { allow: false, why: 'BACKEND_UNAVAILABLE' }
    expect(await hook.decide(question, known)).toEqual(no)
    expect(said).toHaveLength(1)
    expect(JSON.parse(said[0] ?? '')).toMatchObject({
      setting: 'SAOMA_ACCOUNT_URL',
      reason: expect.stringContaining(reason),
    })
    expect(said[0]).not.toMatch(/secret|sixteen|ann/)
    expect(said[0]?.length).toBeLessThan(400)
    expect(server.questions).toHaveLength(1)
  })
})

test('nested claims come whole, and numbers as they were written', async () => {
  const deep = `${'['.repeat(1_000)}${']'.repeat(1_000)}`
  const text = `{"allow":true,"claims":{"${LEVEL}":{"deep":${deep},"card":9007199254740993,"constructor":1}}}`
  const { hook } = await serve(
    raw({}, (res) => res.end(text)),
    'birth',
  )
  const decision = await hook.decide(question, { isNew: true })
  expect(JSON.stringify(decision)).toBe(text)
})

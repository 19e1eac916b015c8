import { until } from '@saoma/testing'
import { type AuthorizationWebhook, createAuthorizationWebhook } from '../src/access/authorization-webhook.ts'
import { createPolicy } from '../src/access/policy.ts'
import type { Backend, Person } from '../src/access/principal.ts'
import { createRules, parseRules } from '../src/access/rules.ts'
import { createLog } from '../src/operate/log.ts'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'

const log = createLog({ level: 'silent', node: 'test' })
const SECRET = 'a secret of the hook'
const yes = { ok: true, value: true }
const no = { ok: false, code: 'FORBIDDEN' }
const unavailable = { ok: false, code: 'BACKEND_UNAVAILABLE' }

const person = (user: string, rooms: string[] = [], sid?: string): Person => ({
  kind: 'person',
  issuer: 'saoma',
  user,
  expiresAt: Date.now() + 600_000,
  rooms,
  ...(sid ? { sid } : {}),
})
const backend = (...channels: string[]): Backend => ({
  kind: 'backend',
  name: 'shop',
  channels,
  may: ['publish', 'follow', 'presence'],
  scopes: [],
  expiresAt: Number.POSITIVE_INFINITY,
})

const rulesOf = (...rules: object[]) => {
  const parsed = parseRules(JSON.stringify(rules))
  expect(parsed.problems).toEqual([])
  return createRules(parsed.rules)
}
const rules = rulesOf(
  { match: 'room:lobby', follow: 'public' },
  { match: 'room:chat-*', follow: 'public', publish: 'followers', announce: true, keep: { messages: 5, seconds: 60 } },
  { match: 'room:table-*', follow: 'members', publish: 'followers', keep: { messages: 50 } },
  { match: 'room:closed-*' },
  { match: 'room:ask-*', follow: 'hook', publish: 'hook' },
  { match: 'room:ask2-*', follow: 'hook', publish: 'followers' },
  { match: 'user:*', announce: true, keep: { seconds: 3_600 } },
)
const policy = createPolicy({ rules })

test('a person follows their own channel and nobody else’s, and publishes into none', async () => {
  expect(await policy(person('anna'), 'follow', 'user:anna')).toEqual(yes)
  expect(await policy(person('anna'), 'follow', 'user:anna2')).toEqual(no)
  expect(await policy(person('anna', ['*', 'user:*']), 'follow', 'user:bert')).toEqual(no)
  expect(await policy(person('anna'), 'publish', 'user:anna')).toEqual(no)
})

test('everybody may follow a public room, but publishing takes a rule of its own', async () => {
  expect(await policy(person('anna'), 'follow', 'room:lobby')).toEqual(yes)
  expect(await policy(person('anna'), 'publish', 'room:lobby')).toEqual(no)
  expect(await policy(person('anna'), 'publish', 'room:chat-1')).toEqual(yes)
})

// With or without the prefix.
test('members are people whose token names the room, whole or by its beginning', async () => {
  for (const room of ['table-7', 'room:table-7', 'table-*', 'room:*', '*'])
    for (const action of ['follow', 'publish'] as const)
      expect([room, await policy(person('anna', [room]), action, 'room:table-7')]).toEqual([room, yes])
  for (const room of ['table-70', 'table', 'user:table-7', 'Table-7', ''])
    for (const action of ['follow', 'publish'] as const)
      expect([room, await policy(person('anna', [room]), action, 'room:table-7')]).toEqual([room, no])
})

test('a channel that no rule opens is closed to people', async () => {
  for (const channel of ['room:closed-1', 'room:other', 'room:lobby2'])
    for (const action of ['follow', 'publish'] as const)
      expect([channel, await policy(person('anna', ['*']), action, channel)]).toEqual([channel, no])
})

test('a backend may do everything where its patterns fit, and nothing elsewhere', async () => {
  const shop = backend('room:shop-*', 'user:1001')
  for (const action of ['follow', 'publish'] as const) {
    for (const channel of ['room:shop-', 'room:shop-1', 'user:1001'])
      expect([channel, await policy(shop, action, channel)]).toEqual([channel, yes])
    for (const channel of ['room:shop', 'room:lobby', 'user:10011', 'user:shop-1'])
      expect([channel, await policy(shop, action, channel)]).toEqual([channel, no])
  }
})

test('the first rule that fits says how much is kept and whether people are announced', () => {
  expect(rules.retention('room:chat-1')).toEqual({ messages: 5, ms: 60_000 })
  expect(rules.retention('room:table-1')).toEqual({ messages: 50, ms: 604_800_000 })
  expect(rules.retention('user:anna')).toEqual({ messages: 1_000, ms: 3_600_000 })
  expect(rules.retention('room:unruled')).toEqual({ messages: 1_000, ms: 604_800_000 })
  expect(['room:chat-1', 'room:table-1', 'user:anna', 'room:unruled'].filter(rules.announces)).toEqual([
    'room:chat-1',
    'user:anna',
  ])
  const first = rulesOf({ match: 'room:a-*', announce: true }, { match: 'room:*', announce: false })
  expect(first.announces('room:a-1')).toBe(true)
})

test.each([
  ['no JSON', '[', /^is no JSON/],
  ['no array', '{}', /^must be a JSON array/],
  ['a star in the middle', '[{"match":"room:a*b"}]', /^rule 1: match must be a pattern/],
  ['no match', '[{"follow":"public"}]', /^rule 1: match/],
  ['an unknown word', '[{"match":"room:*","follow":"all"}]', /^rule 1: follow must be one of public, members/],
  ['an unknown member', '[{"match":"room:*","folow":"public"}]', /^rule 1: folow is not known/],
  ['too much kept', '[{"match":"room:*","keep":{"messages":100001}}]', /^rule 1: keep.messages must be a whole number/],
  ['nothing kept', '[{"match":"room:*","keep":{"seconds":0}}]', /^rule 1: keep.seconds must be a whole number/],
  ['rights in own channels', '[{"match":"user:*","follow":"public"}]', /^rule 1: a rule for user: may only/],
  ['something else', '[{"match":"room:*"},5]', /^rule 2: is not well formed/],
])('rules with %s are refused with a sentence', (_, text, sentence) => {
  expect(parseRules(text).problems).toEqual([expect.stringMatching(sentence)])
})

test('a channel that is left to the hook is closed without a hook', async () => {
  expect(await policy(person('anna'), 'follow', 'room:ask-1')).toEqual(no)
  expect(await policy(person('anna'), 'publish', 'room:ask-1')).toEqual(no)
})

const withHook = async (answer: BusinessServer['answer']) => {
  const server = await startBusinessServer(answer)
  const hook: AuthorizationWebhook = createAuthorizationWebhook({ url: server.url, secret: SECRET }, log)
  return { server, policy: createPolicy({ rules, hook }) }
}

test('the hook is told who wants what, and is shown our secret', async () => {
  const { server, policy } = await withHook(json({ allow: true }))
  expect(await policy(person('anna', [], 's1'), 'follow', 'room:ask-1')).toEqual(yes)
  expect(await policy(person('bert'), 'publish', 'room:ask-1')).toEqual(yes)
  // Those who publish here are those who may follow.
  expect(await policy(person('bert'), 'publish', 'room:ask2-1')).toEqual(yes)
  expect(server.questions.map(({ body }) => body)).toEqual([
    { action: 'follow', channel: 'room:ask-1', user: 'anna', sid: 's1' },
    { action: 'publish', channel: 'room:ask-1', user: 'bert' },
    { action: 'follow', channel: 'room:ask2-1', user: 'bert' },
  ])
  expect(new Set(server.questions.map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${SECRET}`]))
})

test.each([
  ['allow false', json({ allow: false }), no],
  ['403', json({}, 403), no],
  ['404', json({ allow: true }, 404), unavailable],
  ['500', json({ allow: true }, 500), unavailable],
  ['a yes in words', json({ allow: 'yes' }), unavailable],
  ['an empty answer', json({}), unavailable],
])('the hook’s answer %s is applied', async (_, answer, expected) => {
  const { policy } = await withHook(answer)
  expect(await policy(person('anna'), 'follow', 'room:ask-1')).toEqual(expected)
})

test('a question is asked once while its answer holds, however many ask it', async () => {
  const { server, policy } = await withHook(json({ allow: true, seconds: 60 }))
  await Promise.all(Array.from({ length: 50 }, () => policy(person('anna'), 'publish', 'room:ask-1')))
  await policy(person('anna'), 'publish', 'room:ask-1')
  expect(server.questions).toHaveLength(1)
  server.answer = json({ allow: false })
  for (let i = 0; i < 5; i++) expect(await policy(person('bert'), 'publish', 'room:ask-1')).toEqual(no)
  expect(server.questions).toHaveLength(2)
  // The answer to one question is none to another.
  expect(await policy(person('anna'), 'follow', 'room:ask-1')).toEqual(no)
  expect(await policy(person('anna'), 'publish', 'room:ask-9')).toEqual(no)
  expect(server.questions).toHaveLength(4)
})

test('a yes holds only as long as the hook says, and nothing old replaces an answer', async () => {
  const { server, policy } = await withHook(json({ allow: true, seconds: 0.1 }))
  const publish = () => policy(person('anna'), 'publish', 'room:ask-1')
  expect(await publish()).toEqual(yes)
  await server.stop()
  expect(await until(publish, ({ ok }) => !ok)).toEqual(unavailable)
})

test('a yes that holds for no time is asked for every time', async () => {
  const { server, policy } = await withHook(json({ allow: true, seconds: 0 }))
  for (let i = 0; i < 3; i++) await policy(person('anna'), 'publish', 'room:ask-1')
  expect(server.questions).toHaveLength(3)
})

test('a slow hook gets four questions of one person at a time, and nobody else waits', async () => {
  const { server, policy } = await withHook((res, question) => {
    if (question.body.user !== 'slow') json({ allow: true })(res, question)
  })
  const all = Array.from({ length: 60 }, (_, i) => policy(person('slow'), 'follow', `room:ask-${i}`))
  while (server.questions.length < 4) await server.asked()
  expect(await policy(person('anna'), 'follow', 'room:ask-1')).toEqual(yes)
  expect(server.questions).toHaveLength(5)
  await server.stop()
  expect(new Set(await Promise.all(all))).toEqual(new Set([unavailable]))
})

test('a slow hook holds four hundred questions at most, and the others fail at once', async () => {
  const { server, policy } = await withHook(() => {})
  const all = Array.from({ length: 410 }, (_, i) => policy(person(`p${i}`), 'follow', 'room:ask-1'))
  expect(new Set(await Promise.all(all.slice(400)))).toEqual(new Set([unavailable]))
  await server.stop()
  expect(new Set(await Promise.all(all.slice(0, 400)))).toEqual(new Set([unavailable]))
  expect(server.questions.length).toBeLessThanOrEqual(400)
})

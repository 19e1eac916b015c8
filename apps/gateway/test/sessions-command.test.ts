import { fileURLToPath } from 'node:url'
import type { AuditPage } from '@saoma/audit'
import { createKeys } from '@saoma/redis'
import {
  connectLive,
  plainEnv,
  refresh,
  request,
  startGateway,
  startProcess,
  startRedis,
  testAdminKey,
  webToken,
} from '@saoma/testing'
import { readSessionsCommand } from '../src/bin/read-sessions-command.ts'
import { openOperator } from './fixtures.ts'

const script = fileURLToPath(new URL('../src/bin/sessions.ts', import.meta.url))

const sessions = async (args: readonly string[], env: Record<string, string> = {}) => {
  const { exited, lines } = await startProcess({
    name: 'sessions',
    command: process.execPath,
    args: [script, ...args],
    env: { ...plainEnv(), SAOMA_DEMO: 'true', ...env },
  })
  const { code } = await exited
  return { code, said: lines.map(({ text }) => text).join('\n') }
}

test('the command ends what a node would end, and the page is told the reason', async () => {
  const logins = await startRedis()
  const channels = await startRedis()
  const origin = 'http://command.test'
  const env = { REDIS_CHANNELS_URL: channels.url }
  const node = await startGateway({ redisUrl: logins.url, nodeId: 'a', origin, env })
  const [one, two] = [await webToken(node.origin, 'anna'), await webToken(node.origin, 'anna')]
  const sockets = [one, two].map(({ access_token: token }) => connectLive(node.origin, { token }))
  for (const socket of sockets) await socket.next('connect')
  const settings = {
    ...env,
    REDIS_URL: logins.url,
    SAOMA_ORIGIN: origin,
    SAOMA_SECRET: 'a secret of tests, which nobody keeps',
  }
  const sid = JSON.parse(Buffer.from(two.access_token.split('.')[1] ?? '', 'base64url').toString()).sid
  const kept = await sessions(['end', one.user, `--keep=${sid}`, '--reason', 'Only one desk.'], settings)
  expect(kept).toEqual({ code: 0, said: expect.stringMatching(/^1 session has ended\./) })
  expect(await sockets[0]?.next('ended')).toEqual({ code: 'REVOKED', reason: 'Only one desk.' })
  expect(await refresh(node.origin, one.refresh_token)).toMatchObject({ body: { reason: 'Only one desk.' } })
  expect((await refresh(node.origin, two.refresh_token)).status).toBe(200)
  expect(sockets[1]?.pending('ended')).toEqual([])

  expect((await sessions(['end', one.user], settings)).said).toMatch(/^1 session has ended\./)
  expect(await sockets[1]?.next('ended')).toEqual({ code: 'REVOKED' })
  expect((await sessions(['end', one.user], settings)).said).toMatch(/^0 sessions have ended\./)

  // For as long as a JWT of the business may live: the shell may not have the settings of the nodes.
  const operator = await openOperator(channels.url)
  expect(await operator.pttl(createKeys('saoma').channelEnds(`user:${one.user}`))).toBeGreaterThan(31 * 86_400_000)

  // The command has written before it ends.
  const { body } = await request<AuditPage>(
    `${node.internalOrigin}/v1/admin/audit?kind=session.ended&order=oldest&person=${one.user}`,
    { bearer: testAdminKey },
  )
  const first = JSON.parse(Buffer.from(one.access_token.split('.')[1] ?? '', 'base64url').toString()).sid
  expect(body.entries.map((entry) => [entry.by, entry.node, entry.sid])).toEqual([
    ['operator', 'command', first],
    ['operator', 'command', sid],
    ['operator', 'command', undefined],
  ])
})

test('without Redis the command says so and fails', async () => {
  const redis = await startRedis()
  await redis.stop()
  const settings = { REDIS_URL: redis.url, SAOMA_ORIGIN: 'http://command.test', SAOMA_SECRET: 'x'.repeat(32) }
  expect(await sessions(['end', 'anna'], settings)).toEqual({
    code: 1,
    said: expect.stringContaining('REDIS_URL names'),
  })
})

test.each<[string[], string]>([
  [[], 'Say what is to be done.'],
  [['list'], 'There is no command "list".'],
  [['end'], 'end needs the id of a person'],
  [['end', 'anna', 'bert'], 'end needs one id, but there is also "bert".'],
  [['end', 'an na'], '"an na" is no id of a person.'],
  [['end', 'anna', '--sid', 'a', '--keep', 'b'], 'Give --sid or --keep, not both.'],
  [['end', 'anna', '--sid='], '--sid is the id of a session.'],
  [['end', 'anna', '--reason', 'one\ntwo'], '--reason is a sentence of up to 200 characters'],
  [['end', 'anna', '--all'], "Unknown option '--all'"],
])('%j is wrong usage, and says why', (args, sentence) => {
  expect(readSessionsCommand(args)).toEqual({ kind: 'wrong', reason: expect.stringContaining(sentence) })
})

test('an id that begins with a dash is an id', () => {
  const id = '-5x_AAAAAAAAAAAAAAAAAA'
  expect(readSessionsCommand(['end', id, '--reason', 'Bye.'])).toMatchObject({ user: id, how: { reason: 'Bye.' } })
  expect(readSessionsCommand(['end', '--', `-${id}`])).toMatchObject({ user: `-${id}` })
  expect(readSessionsCommand(['end', '-h'])).toEqual({ kind: 'help' })
})

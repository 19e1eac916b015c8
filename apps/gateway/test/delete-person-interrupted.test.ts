import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { createEnds } from '@saoma/channels'
import { openSessions } from '@saoma/identity'
import { createRedis, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { onCleanup, publish, startRedis, until } from '@saoma/testing'
import { createDeletePerson } from '../src/admin/delete-person.ts'
import { allowanceKeysOf } from '../src/live/allowance.ts'
import { noteEnded } from '../src/login/audited.ts'
import { noteAccounts } from '../src/login/audited-accounts.ts'
import { createEndPerson } from '../src/login/end-person.ts'
import { expectNothingElse } from './left-of-person.ts'
import { admin, type Company, live, openCompany, type Person, SECRET } from './person-life.ts'
import { openRedisSearch, placesOf, type RedisSearch } from './redis-search.ts'

/* A deletion that is interrupted at any step is completed by the next one (D107). */

/** Deletions that are tried at the same time. */
const AT_ONCE = 4
/** There are some fifty commands, and a person who lives and is deleted for each. */
const TIMEOUT_MS = 120_000

let url: string
let company: Company
let search: RedisSearch

beforeAll(async () => {
  url = (await startRedis()).url
  company = await openCompany(url)
  search = await openRedisSearch(url, SECRET)
})

/** Lets this many commands through, and then none, as if the process had died. */
const dieAfter = ({ data }: RedisClients, commands: number): { isDead(): boolean } => {
  let left = commands
  const send = data.sendCommand.bind(data) as (...args: unknown[]) => unknown
  Object.assign(data, {
    sendCommand: (...args: unknown[]) => {
      if (left-- > 0) return send(...args)
      const [command] = args as [{ reject(error: Error): void; promise: Promise<unknown> }]
      command.reject(new Error('Connection is closed.'))
      return command.promise
    },
  })
  return { isDead: () => left < 0 }
}

/** What a command has: no node, and connections of its own. */
const openDeletion = async (settle = async (): Promise<void> => {}) => {
  const redis = await createRedis({ url, probeMs: 0 })
  const accountKeys = await openAccountKeys(redis, { secrets: [SECRET] })
  const audit = createAudit(redis, { node: 'x', secrets: [SECRET], entries: 10_000, keepMs: 86_400_000 })
  const channels = createEnds(redis)
  const opened = openSessions(redis, {
    origin: 'http://company.test',
    times: { confirmMs: 60_000, redeemMs: 60_000 },
    onSessionEnded: ({ sub, sid, ...why }) => {
      noteEnded(audit, { sub, sid })
      return channels.end(sub, sid, why)
    },
  })
  const { sessions: identity } = opened
  const accounts = noteAccounts(createAccounts(redis, accountKeys), audit)
  const endPerson = createEndPerson({ identity, channels, audit })
  const close = async () => {
    forget()
    opened.close()
    accountKeys.close()
    await audit.close()
    await redis.close()
  }
  const forget = onCleanup(close)
  return { redis, deletePerson: createDeletePerson({ redis, accounts, identity, audit, endPerson, settle }), close }
}

const untilGone = async (person: Person): Promise<void> => {
  const { sub } = person
  await until(
    () => search.read([sub]),
    (contents) => !placesOf(contents, [sub]).some((name) => /:people|:node:/.test(name)),
  )
  expectNothingElse(await search.read([sub]), person)
}

test(
  'whichever command to Redis is the last of a deletion, the next deletion completes it',
  async () => {
    const warm = await openDeletion()
    await warm.deletePerson((await live(company, 'warm')).sub, { by: 'operator' })
    let next = 0
    let most = Number.POSITIVE_INFINITY
    const lane = async (): Promise<void> => {
      while (next <= most) {
        const commands = next++
        const person = await live(company, `dying-${commands}`)
        const dying = await openDeletion()
        const death = dieAfter(dying.redis, commands)
        const outcome = await dying.deletePerson(person.sub, { by: 'operator' }).catch((error: unknown) => error)
        if (death.isDead()) expect(outcome).toBeInstanceOf(RedisUnavailable)
        else most = Math.min(most, commands)
        // Whatever was done, no half account: the person is as before, or locked out for good.
        const { body } = await admin<{ state: string }>(company.nodes[1], 'GET', `/accounts/${person.sub}`)
        expect([commands, body.state]).toEqual([commands, commands === 0 ? 'active' : 'deleted'])
        expect(await warm.deletePerson(person.sub, { by: 'operator' })).toMatchObject({ state: 'deleted' })
        await untilGone(person)
        await dying.close()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    expect(most).toBeGreaterThan(20)
  },
  TIMEOUT_MS,
)

test('what is published to a person, or counted for them, while they are deleted goes too', async () => {
  const [a] = company.nodes
  const person = await live(company, 'busy')
  const { sub } = person
  const { data, keys } = search.redis
  let isRaced = false
  const deletion = await openDeletion(async () => {
    isRaced = true
    const late = { channel: `user:${sub}`, event: 'order', data: { nth: 3 } }
    expect(await publish(a.origin, late)).toMatchObject({ status: 200 })
    for (const key of allowanceKeysOf(keys, sub)) await data.set(key, '1', 'EX', 86_400)
    expect(await data.exists(keys.channelLog(`user:${sub}`))).toBe(1)
  })
  await deletion.deletePerson(sub, { by: 'operator' })
  expect(isRaced).toBe(true)
  expect(await data.exists(keys.channelLog(`user:${sub}`), keys.channelMeta(`user:${sub}`))).toBe(0)
  for (const key of allowanceKeysOf(keys, sub)) expect([key, await data.exists(key)]).toEqual([key, 0])
  await untilGone(person)
})

test('a node that is killed in the middle of it leaves nothing that the next call does not delete', async () => {
  const [a, b] = company.nodes
  let interrupted = 0
  for (const turns of [0, 1, 3, 8, 20]) {
    const person = await live(company, `killed-${turns}`)
    const asked = admin(a, 'DELETE', `/accounts/${person.sub}`).then(
      () => false,
      () => true,
    )
    // Which step it dies at differs; that it had begun does not.
    const { data, keys } = search.redis
    await until(
      () => data.hget(keys.account(person.sub), 'state'),
      (state) => state === 'deleted',
    )
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    await a.kill('SIGKILL')
    if (await asked) interrupted++
    expect(await admin(b, 'DELETE', `/accounts/${person.sub}`)).toMatchObject({ status: 200 })
    await a.restart()
    await until(
      () => admin(a, 'GET', `/accounts/${person.sub}`),
      ({ status }) => status === 200,
    )
    await untilGone(person)
  }
  expect(interrupted).toBeGreaterThan(0)
})

import type { TokenSet } from '@saoma/protocol'
import {
  confirm,
  createTicket,
  inLots,
  redeem,
  refresh,
  request,
  scan,
  startRedis,
  startRedisCluster,
} from '@saoma/testing'
import { json } from './business-server.ts'
import { admin, type Company, claimsOf, confirmed, openCompany, phoneOf, SECRET } from './person-life.ts'
import { openRedisSearch, type RedisSearch } from './redis-search.ts'

/* Administrators against everything that gives tokens, on two nodes (D107). */

const topologies = {
  standalone: { open: async () => (await startRedis()).url, rounds: 40 },
  cluster: { open: async () => (await startRedisCluster()).url, rounds: 12 },
}
const AT_ONCE = 4
/** A deletion takes a second. */
const TIMEOUT_MS = 120_000
const turnsOf = async (turns: number): Promise<void> => {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe.each(Object.keys(topologies) as (keyof typeof topologies)[])('with a %s Redis', (topology) => {
  const { open, rounds } = topologies[topology]
  let company: Company
  let search: RedisSearch

  beforeAll(async () => {
    const url = await open()
    company = await openCompany(url)
    search = await openRedisSearch(url, SECRET)
  })

  /**
   * Runs each round with another person, some at once. Goes on until each racer has won once: otherwise
   * nothing was raced.
   */
  const inRounds = async (name: string, round: (i: number, phone: string) => Promise<number>): Promise<void> => {
    const outcomes = new Set<number>()
    let next = 0
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < rounds || (outcomes.size < 2 && next < 10 * rounds)) {
          const i = next++
          outcomes.add(await round(i, (await phoneOf(company, `${name}-${i}`)).body.access_token))
        }
      }),
    )
    expect(outcomes).toEqual(new Set([200, 400]))
  }
  /** What an administrator does, at the other node. */
  const acts = {
    disabled: (sub: string) => admin<{ state: string }>(company.nodes[1], 'POST', `/accounts/${sub}/disable`),
    deleted: (sub: string) => admin<{ state: string }>(company.nodes[1], 'DELETE', `/accounts/${sub}`),
  }
  const expectWorthless = async ({ status, body }: { status: number; body: TokenSet }): Promise<void> => {
    if (status !== 200) return
    for (const { origin } of company.nodes) {
      expect((await refresh(origin, body.refresh_token)).status).toBe(400)
      expect((await request(`${origin}/v1/sessions`, { bearer: body.access_token })).status).toBe(401)
    }
  }

  test.each(['disabled', 'deleted'] as const)(
    'a login in progress gives no token after its person was %s',
    async (state) => {
      const [a, b] = company.nodes
      await inRounds(`login-${state}`, async (i, phone) => {
        const { sub } = claimsOf(phone)
        const [agreed, scanned] = [await confirmed(a.origin, phone), await createTicket(b.origin)]
        await scan(a.origin, scanned.ticket, phone)
        const acting = (async () => {
          await turnsOf(i % 25)
          expect(await acts[state](sub)).toMatchObject({ status: 200, body: { state } })
          // Calls that begin now.
          const late = [redeem(a.origin, agreed.device_code), redeem(b.origin, agreed.device_code)]
          expect((await Promise.all(late)).map(({ status }) => status)).toEqual([400, 400])
        })()
        const [redeemed] = await Promise.all([redeem(a.origin, agreed.device_code), acting])
        await expectWorthless(redeemed)
        expect((await confirm(b.origin, scanned.ticket, phone)).status).toBe(state === 'disabled' ? 403 : 401)
        expect((await redeem(b.origin, scanned.device_code)).status).toBe(400)
        return redeemed.status
      })
    },
    TIMEOUT_MS,
  )

  test.each(['disabled', 'deleted'] as const)(
    'no refresh gives a token after its person was %s',
    async (state) => {
      const [a, b] = company.nodes
      await inRounds(`refresh-${state}`, async (i, phone) => {
        const { sub } = claimsOf(phone)
        const tokens = (await redeem(b.origin, (await confirmed(a.origin, phone)).device_code)).body
        const acting = (async () => {
          await turnsOf(i % 25)
          expect(await acts[state](sub)).toMatchObject({ status: 200, body: { state } })
          expect((await refresh(a.origin, tokens.refresh_token)).status).toBe(400)
        })()
        const [refreshed] = await Promise.all([refresh(a.origin, tokens.refresh_token), acting])
        await expectWorthless(refreshed)
        return refreshed.status
      })
    },
    TIMEOUT_MS,
  )

  test('first logins that race with the deletion of their account leave no half account', async () => {
    const [a] = company.nodes
    const deletions: Promise<unknown>[] = []
    // The company says who comes, and has that id deleted at the same time.
    company.business.answer = (res, question) => {
      const { id } = question.body.identity as { id: string }
      const sub = `sub-of-${id.slice(-8)}`
      const round = deletions.length
      const remove = async () => expect((await admin(a, 'DELETE', `/accounts/${sub}`)).status).toBe(200)
      const answer = async () => json({ allow: true, sub })(res, question)
      const [first, second] = round % 2 ? [remove, answer] : [answer, remove]
      deletions.push(Promise.all([first(), turnsOf((round >> 1) % 40).then(second)]))
    }
    const people = Array.from({ length: 3 * rounds }, (_, i) => `born-${i}`)
    await inLots(people, (person) => phoneOf(company, person), 10)
    await Promise.all(deletions)
    const { data, keys } = search.redis
    const contents = await search.read([])
    const born = new Set<string>()
    for (const [name, { texts }] of contents) {
      if (!/:account-(link|of):/.test(name)) continue
      const account = keys.account(texts[1] ?? '')
      const [via, state, ttlMs] = [...(await data.hmget(account, 'via', 'state')), await data.pttl(account)]
      expect(state).not.toBe('deleted')
      expect({ name, account, via, ttlMs }).toMatchObject({ via: 'wechat', ttlMs: -1 })
      if (account.includes('sub-of-')) born.add(account)
    }
    // Else nothing was raced: some came before their deletion, and some after.
    const deleted = [...contents].filter(
      ([name, { texts }]) => /:account:\{sub-of-/.test(name) && texts.includes('deleted'),
    )
    expect(deleted.length).toBeGreaterThan(0)
    expect(born.size).toBeGreaterThan(0)
  })
})

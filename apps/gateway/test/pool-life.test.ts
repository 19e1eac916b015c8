import { setTimeout as delay } from 'node:timers/promises'
import { confirm, createTicket, redeem, scan, until } from '@saoma/testing'
import { upTo } from './fixtures.ts'
import { look, type PoolNodes, readAll, resolve, startPoolNodes } from './pool-nodes.ts'

const VISITORS = Number(process.env.POOL_VISITORS ?? 80)
/** So few that each is had by several. */
const CODES = Math.min(60, Math.ceil(VISITORS * 0.3))
const AT_ONCE = 8
const PEOPLE = 12
const HOSTILE_PHONES = 12
/** Between two tries of those: what is proved is that none succeeds, not how many there can be. */
const PROWL_MS = 20
/** Milliseconds: as the settings below say. */
const [LEASE, QUARANTINE] = [2_000, 3_000]

const subOf = (jwt = ''): string => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()).sub
const anyOf = <T>(some: readonly T[]): T => some[Math.floor(Math.random() * some.length)] as T

let nodes: PoolNodes
beforeAll(async () => {
  nodes = await startPoolNodes({
    env: {
      SAOMA_POOL_MIN: `${CODES}`,
      SAOMA_POOL_MAX: `${CODES}`,
      SAOMA_POOL_LEASES: '60',
      SAOMA_SCAN_SECONDS: '1',
      SAOMA_CONFIRM_SECONDS: '1',
      SAOMA_REDEEM_SECONDS: '1',
    },
  })
})

interface Leased {
  scene: string
  ticket: string
  check: string | undefined
  /** Before and after it was asked for, in milliseconds. */
  asked: number
  given: number
}

// A visitor who keeps every code that he saw logs nobody in.
test(
  `${VISITORS} visitors share ${CODES} codes on two nodes, and none is leased twice at once`,
  async () => {
    const people = await Promise.all(Array.from({ length: PEOPLE }, (_, i) => nodes.phone(`person ${i}`)))
    const strangers = await Promise.all(Array.from({ length: HOSTILE_PHONES }, (_, i) => nodes.phone(`stranger ${i}`)))
    await until(
      async () => ({ drawn: await nodes.codesDrawn(), ...(await nodes.pool.stock()) }),
      ({ drawn, fresh }) => drawn === CODES && fresh === CODES,
    )
    // From now on there are these codes and no others.
    await nodes.down()
    // Not while tickets of a second are waiting.
    await readAll(nodes.folder)

    const leases: Leased[] = []
    /** What a camera on the wall has seen of logins that were over by then. */
    const seen: Leased[] = []
    const logins = { own: 0, wrong: 0, stolen: 0, late: 0 }
    const refusals: Record<string, number> = {}

    /** Many wait for the pool, one looks. */
    let stocked: Promise<unknown> | undefined
    const whenStocked = () => {
      stocked ??= until(
        async () => ({ drawn: await nodes.codesDrawn(), ...(await nodes.pool.stock()) }),
        ({ fresh, rested }) => fresh + rested > 0,
      ).finally(() => {
        stocked = undefined
      })
      return stocked
    }

    /** A page that asks for codes until it gets one: an empty pool fills itself again. */
    const open = async (): Promise<Leased & { deviceCode: string }> => {
      for (;;) {
        const { ticket, device_code: deviceCode } = await createTicket(nodes.node())
        const asked = performance.now()
        const { scene, check } = await look(nodes.node(), ticket)
        const given = performance.now()
        if (!scene) {
          await whenStocked()
          continue
        }
        const leased = { scene, ticket, check, asked, given }
        leases.push(leased)
        return { ...leased, deviceCode }
      }
    }

    const visit = async (visitor: number): Promise<void> => {
      for (;;) {
        const shown = await open()
        if (visitor % 10 === 9) return void seen.push(shown) // Goes away without a scan.
        const phone = anyOf(people)
        const found = await resolve(nodes.node(), shown.scene, phone, shown.check)
        if (found.status === 200 && found.body.ticket !== shown.ticket) logins.stolen++
        const { status } = await scan(nodes.node(), shown.ticket, phone)
        if (status === 409) logins.stolen++
        seen.push(shown)
        await confirm(nodes.node(), shown.ticket, phone)
        const { body } = await redeem(nodes.node(), shown.deviceCode)
        if (body.id_token) {
          logins[subOf(body.id_token) === subOf(phone) ? 'own' : 'wrong']++
          return
        }
        // This machine was too slow for tickets of a second: the page makes another.
        logins.late++
      }
    }

    let watching = true
    const prowl = async (): Promise<void> => {
      while (watching) {
        await delay(PROWL_MS)
        const old = anyOf(seen)
        if (!old) continue
        const phone = anyOf(strangers)
        const found = await resolve(nodes.node(), old.scene, phone, Math.random() < 0.5 ? old.check : undefined)
        const answer = found.status === 200 ? await scan(nodes.node(), found.body.ticket, phone) : found
        if (answer.status === 200) await confirm(nodes.node(), found.body.ticket, phone)
        const { code = 'none' } = answer.body as { code?: string }
        refusals[code] = (refusals[code] ?? 0) + 1
      }
    }

    const waiting = upTo(VISITORS)
    const page = async (): Promise<void> => {
      for (let visitor = waiting.shift(); visitor !== undefined; visitor = waiting.shift()) await visit(visitor)
    }
    const prowling = prowl()
    await Promise.all(Array.from({ length: AT_ONCE }, page))
    watching = false
    await prowling
    if (process.env.POOL_VISITORS) console.info({ logins, refusals, leases: leases.length })

    expect(logins).toMatchObject({ own: VISITORS - Math.floor(VISITORS / 10), wrong: 0, stolen: 0 })
    expect(refusals).toMatchObject({ CHECK_REQUIRED: expect.any(Number), CHECK_WRONG: expect.any(Number) })
    expect(new Set(leases.map(({ scene }) => scene)).size).toBe(CODES)
    const tooSoon = leases.flatMap((lease, i) =>
      leases
        .slice(i + 1)
        .filter(({ scene, given }) => scene === lease.scene && given - lease.asked < LEASE + QUARANTINE)
        .map((next) => [lease, next]),
    )
    expect(tooSoon).toEqual([])
    const numbers = leases.filter(({ check }) => check).map(({ scene, check }) => `${scene} ${check}`)
    expect(new Set(numbers).size).toBe(numbers.length)
  },
  30_000 + VISITORS * 500,
)

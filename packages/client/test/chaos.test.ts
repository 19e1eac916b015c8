import { setTimeout as delay } from 'node:timers/promises'
import { onCleanup, startCluster, testApiKey } from '@saoma/testing'
import { createLive, type Lost } from '../src/index.ts'
import { createPublisher } from '../src/server.ts'
import { startBusiness } from './business.ts'

/** The long run is `CHAOS_SECONDS=60`; `CHAOS_SEED` repeats one. */
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 6)
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const PEOPLE = 100
const PUBLISHERS = 4
/** Between two messages of a publisher: what is proved is that none is lost, not how many there can be. */
const PAUSE_MS = 60
const ANSWER_MS = 90_000

/** mulberry32: the same seed, the same chaos. */
const createChance = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

// Everybody gets every acknowledged message once and in order.
test(
  `${PEOPLE} people lose no message while nodes die for ${SECONDS} s (seed ${SEED})`,
  async () => {
    const chance = createChance(SEED)
    const cluster = await startCluster({ nodes: 3, env: { SAOMA_AUTH_URL: await startBusiness() } })
    const { origin } = cluster

    const people = await Promise.all(
      Array.from({ length: PEOPLE }, async (_, i) => {
        const live = createLive({ origin, token: () => `person${i}` })
        onCleanup(() => live.close())
        const box = live.channel<{ n: number }>('@user', { since: { epoch: '-', offset: 0 } })
        const heard: number[] = []
        const lost: Lost[] = []
        let wake = () => {}
        box.on('message', ({ data }) => {
          heard.push(data)
          wake()
        })
        const ready = new Promise<void>((resolve) => {
          box.on('lost', (loss) => {
            lost.push(loss)
            resolve()
          })
        })
        // The first position is of no log, so the first answer is a loss: from there on there must be none.
        await ready
        const complete = async (count: number) => {
          while (heard.length < count)
            await new Promise<void>((resolve) => {
              wake = resolve
            })
        }
        return { name: `person${i}`, live, heard, lost, complete, sent: 0 }
      }),
    )

    let over = false
    let retried = 0
    const publisher = createPublisher<{ n: number }>({ origin, apiKey: testApiKey, withinMs: 5_000 })
    const publishing = Array.from({ length: PUBLISHERS }, async (_, worker) => {
      const mine = people.filter((_, i) => i % PUBLISHERS === worker)
      for (let turn = 0; !over; turn++) {
        const person = mine[turn % mine.length]
        if (!person) continue
        const n = person.sent++
        const message = { channel: `user:${person.name}`, event: 'n', data: n, idempotencyKey: `n${n}` } as const
        for (let answer = await publisher.publish(message); !answer.ok; retried++)
          answer = await publisher.publish(message)
        await delay(PAUSE_MS)
      }
    })

    const endAt = performance.now() + SECONDS * 1000
    let kills = 0
    while (performance.now() < endAt) {
      const node = cluster.nodes[Math.floor(chance() * cluster.nodes.length)]
      await delay(chance() * 2_000)
      await node?.kill('SIGKILL')
      kills++
      await delay(chance() * 2_000)
      await node?.restart()
    }
    over = true
    await Promise.all(publishing)

    const total = people.reduce((sum, { sent }) => sum + sent, 0)
    await Promise.race([
      Promise.all(people.map((person) => person.complete(person.sent))),
      delay(ANSWER_MS, undefined, { ref: false }).then(() => {
        const missing = people.filter(({ heard, sent }) => heard.length < sent)
        throw new Error(
          `${missing.length} people miss messages: ${missing
            .slice(0, 5)
            .map(({ name, heard, sent, live }) => `${name} has ${heard.length} of ${sent} (${live.state})`)
            .join(', ')}`,
        )
      }),
    ])
    for (const { heard, sent, lost } of people) {
      expect(heard).toEqual(Array.from({ length: sent }, (_, n) => n))
      expect(lost).toHaveLength(1)
    }
    expect(kills).toBeGreaterThan(0)
    process.stdout.write(`chaos: ${total} messages, ${kills} kills, ${retried} publishes repeated by hand\n`)
  },
  SECONDS * 1000 + ANSWER_MS + 60_000,
)

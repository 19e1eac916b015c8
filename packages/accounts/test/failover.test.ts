import { elected, startRedisCluster } from '@saoma/testing'
import type { Decision } from '../src/index.ts'
import { halves, insist, openNode, somebody, subOf, uniquePrefix } from './fixtures.ts'

const PEOPLE = 1_000
const AT_ONCE = 40
/** Twenty seconds alone. A machine that is busy elsewhere takes far longer to lose two masters. */
const TIMEOUT_MS = 240_000

test(
  '[U15] masters die while 1,000 people come for the first time, and no account is half',
  async () => {
    const cluster = await startRedisCluster({ replicas: true, appendonly: true })
    const prefix = uniquePrefix()
    const durable = { replicas: { count: 1, timeoutMs: 500 } }
    const nodes = [
      await openNode(cluster.url, prefix, {}, durable),
      await openNode(cluster.url, prefix, {}, durable),
    ] as const
    // Each third has a second app, which comes at the same time.
    const people = Array.from({ length: PEOPLE }, (_, i) => somebody(i % 3 === 0 ? `uFailover${i}` : undefined))
    // Of another third the business says who they are.
    const claimsOf = (i: number) => (i % 3 === 1 ? { name: `Person ${i}` } : {})
    const decide = async (i: number): Promise<Decision> =>
      i % 3 === 1 ? { allow: true, sub: `u-${i}`, claims: claimsOf(i) } : { allow: true }
    let repeats = 0
    const given = new Map<string, Set<string>>()
    const meet = async (i: number): Promise<void> => {
      const person = people[i]
      if (!person) return
      const apps = person.union ? [person, { ...person, app: 'wx2', id: `${person.id}-2` }] : [person]
      const met = await Promise.all(
        apps.flatMap((identity) =>
          nodes.map(({ accounts }) =>
            insist(
              () => accounts.of(identity, { decide: () => decide(i) }),
              () => repeats++,
            ),
          ),
        ),
      )
      given.set(person.id, new Set(met.map(subOf)))
    }

    let next = 0
    let killing: Promise<void> = Promise.resolve()
    const kill = async (i: number): Promise<void> => {
      const [master, replica] = [cluster.nodes[i], cluster.replicas[i]]
      if (!master || !replica) throw new Error('this is no cluster with replicas')
      await master.kill('SIGKILL')
      await elected(replica)
      await master.restart()
    }
    const worker = async (): Promise<void> => {
      while (next < PEOPLE) {
        const i = next++
        if (i === 150 || i === 500) {
          const before = killing
          killing = before.then(() => kill(i === 150 ? 0 : 1))
        }
        await meet(i)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    await killing

    // People did come while masters were away.
    expect(repeats).toBeGreaterThan(0)
    expect([...given.values()].filter((subs) => subs.size !== 1)).toEqual([])
    expect(new Set([...given.values()].map(([sub]) => sub)).size).toBe(PEOPLE)
    const [node] = nodes
    // Before anybody comes again: nothing waits for a repair.
    expect(await insist(() => halves(node))).toEqual([])
    const again = await Promise.all(people.map((person) => insist(() => node.accounts.of(person))))
    expect(again.map(subOf)).toEqual(people.map(({ id }) => [...(given.get(id) ?? [])][0]))
    const found = await Promise.all(again.map((met) => insist(() => node.accounts.find(subOf(met)))))
    expect(found.map((account) => account?.claims)).toEqual(people.map((_, i) => claimsOf(i)))
    const named = again.map(subOf).filter((_, i) => i % 3 === 1)
    expect(named).toEqual(named.map((_, i) => `u-${i * 3 + 1}`))
    expect(await insist(() => halves(node))).toEqual([])
  },
  TIMEOUT_MS,
)

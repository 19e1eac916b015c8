import { faultContract } from './fault-contract.ts'
import { drawChannel, follow, openNode, serversOf, uniquePrefix } from './fixtures.ts'
import { followContract } from './follow-contract.ts'
import { lifetimeContract } from './lifetime-contract.ts'
import { listingContract } from './listing-contract.ts'
import { logContract } from './log-contract.ts'
import { personContract } from './person-contract.ts'
import { presenceContract } from './presence-contract.ts'
import { readContract } from './read-contract.ts'

/**
 * The rules of SPEC.md that hold on every topology. Two nodes take part, so that none holds by being one
 * process.
 */
export const channelsContract = async (url: string) => {
  const prefix = uniquePrefix()
  const [node, other] = await Promise.all([openNode(url, prefix), openNode(url, prefix)])
  await logContract(url, prefix, node, other)
  await readContract(node, other)
  await followContract(url, prefix, node, other)
  await faultContract(url, prefix, node, other)
  await presenceContract(url, prefix, node, other)
  await personContract(url, prefix, node, other)
  await lifetimeContract(url, node)
  await listingContract(node, other)

  test('[C29] every key has a TTL after all of the above', async () => {
    const follower = await follow(node, drawChannel(), { user: 'ann' })
    const kinds = new Set<string>()
    for (const server of serversOf(node.redis)) {
      for (const key of (await server.keys('*')).filter((name) => name.startsWith(prefix))) {
        // By hand, and no key of ours; and what the clients of Redis write for themselves, which may be
        // between its making and its life.
        if (key.endsWith(':away') || /:(beat|mark|trial):/.test(key)) continue
        const left = await server.pttl(key)
        expect({ key, eternal: left === -1 }).toEqual({ key, eternal: false })
        expect(left).toBeLessThanOrEqual(30 * 86_400_000)
        kinds.add(key.replace(/\{[^}]*\}/, '').replace(/(receipt|people):.*/, '$1'))
      }
    }
    follower.close()
    const all = [
      'channel::ends',
      'channel::log',
      'channel::meta',
      'channel::people',
      'channel::receipt',
      'node::channels',
      'nodes',
    ]
    // Only there while a node sweeps.
    kinds.delete(`${prefix}:node::sweep`)
    expect([...kinds].sort()).toEqual(all.map((kind) => `${prefix}:${kind}`))
  })
}

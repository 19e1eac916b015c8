import { type Cluster, confirm, type Gateway, phoneToken, scan, startCluster } from '@saoma/testing'
import { type Browser, holderOf, openBrowser } from './browser.ts'

let cluster: Cluster
let phone: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  phone = await phoneToken(cluster.origin, 'Li Lei')
})

/** A browser that waits on a socket, the node that holds it, and the other one, which the phone talks to. */
const waiting = async (browser: Browser): Promise<{ ticket: string; node: Gateway; survivor: Gateway }> => {
  browser.login.start()
  const { ticket } = await browser.at('waiting')
  await browser.connectedBy('socket')
  const node = await holderOf(cluster)
  const survivor = cluster.nodes.find(({ id }) => id !== node.id)
  if (!survivor) throw new Error('the cluster has one node only')
  return { ticket, node, survivor }
}

const approve = async ({ origin }: Gateway, ticket: string) => {
  expect(await scan(origin, ticket, phone)).toMatchObject({ status: 200 })
  expect(await confirm(origin, ticket, phone)).toMatchObject({ status: 200 })
}

test('a draining node sends its browser to another, and nothing fails', async () => {
  const browser = openBrowser({ origin: cluster.origin })
  const failures: unknown[] = []
  browser.login.on('error', (failure) => failures.push(failure))
  const { ticket, node, survivor } = await waiting(browser)

  const lost = browser.connectedBy('reconnecting')
  const stopped = node.stop()
  await lost
  await browser.connectedBy('socket')
  await stopped
  const done = browser.next('done')
  await approve(survivor, ticket)
  await done
  expect(failures).toEqual([])
  await node.restart()
})

test('a browser whose node is killed reconnects to another and logs in', async () => {
  const browser = openBrowser({ origin: cluster.origin })
  const { ticket, node, survivor } = await waiting(browser)

  const lost = browser.connectedBy('reconnecting')
  await node.kill('SIGKILL')
  await lost
  await browser.connectedBy('socket')
  expect((await holderOf(cluster)).id).toBe(survivor.id)

  const done = browser.next('done')
  await approve(survivor, ticket)
  await done
  await node.restart()
})

test('a decision made while the browser is disconnected is there when it returns', async () => {
  // It comes back as late as it may, so that the decision is made in between.
  const browser = openBrowser({ origin: cluster.origin, random: () => 0.999 })
  const { ticket, node, survivor } = await waiting(browser)
  const scanned = browser.next('scanned')
  expect(await scan(survivor.origin, ticket, phone)).toMatchObject({ status: 200 })
  await scanned
  const done = browser.next('done')
  const lost = browser.connectedBy('reconnecting')
  await node.kill('SIGKILL')
  await lost
  expect(await confirm(survivor.origin, ticket, phone)).toMatchObject({ status: 200 })
  await done
  expect(browser.statuses).toEqual(['creating', 'waiting', 'scanned', 'confirmed', 'done'])
})

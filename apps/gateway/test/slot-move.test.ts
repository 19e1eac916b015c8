import {
  confirm,
  connectLive,
  connectLogin,
  createTicket,
  loginDoors,
  phoneToken,
  publish,
  scan,
  startGateway,
  startRedisCluster,
  testApiKey,
  until,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

const MOVES = 10
const cluster = await startRedisCluster()
const node = await startGateway({ redisUrl: cluster.url, nodeId: 'a', origin: 'http://127.0.0.1:1' })
const operator = await openOperator(cluster.url)

const slotOf = async (tag: string) => Number(await operator.call('CLUSTER', 'KEYSLOT', `{${tag}}`))
/** Once around the masters, and again. */
const moveAround = async (slot: number, moves: number) => {
  for (let move = 0; move < moves; move++) {
    const next = (cluster.ports.indexOf(await cluster.ownerOf(slot)) + 1) % cluster.ports.length
    await cluster.moveSlots([slot], cluster.ports[next] ?? 0)
  }
}

test('a follower hears everything once and in order while the slot of its channel moves', async () => {
  const channel = 'room:read-moved'
  const follower = connectLive(node.origin, { token: testApiKey })
  await follower.next('connect')
  expect(await follower.subscribe({ channel })).toMatchObject({ ok: true })
  let sent = 0
  let isMoving = true
  const publishing = (async () => {
    while (isMoving) {
      const message = { channel, event: 'n', data: sent, idempotencyKey: `n${sent}` }
      if ((await publish(node.origin, message)).status === 200) sent++
    }
  })()
  const slot = await slotOf(channel)
  for (let move = 0; move < MOVES; move++) {
    const before = sent
    await moveAround(slot, 1)
    await until(
      async () => sent,
      (now) => now > before,
    )
  }
  isMoving = false
  await publishing
  for (let data = 0; data < sent; data++) expect(await follower.next('message', 2_000)).toMatchObject({ data })
  expect(follower.pending('message')).toEqual([])
  follower.close()
})

test.each(loginDoors)(
  'a page that waits %s hears scan and confirm in order while its ticket’s slot moves',
  async (_, query) => {
    const alice = await phoneToken(node.origin, 'alice')
    const { device_code: deviceCode, ticket } = await createTicket(node.origin)
    const slot = await slotOf(ticket)
    const browser = connectLogin(node.origin, { query })
    expect(await browser.watch(deviceCode)).toMatchObject({ ok: true, state: { status: 'pending' } })
    const untilDone = async (act: () => Promise<{ status: number }>) => {
      // At the moment of a move a command may be told that its master is only being connected to.
      for (let status = 503; status === 503; ) ({ status } = await act())
    }
    await Promise.all([moveAround(slot, 3), untilDone(() => scan(node.origin, ticket, alice))])
    expect(await browser.next('ticket')).toMatchObject({ status: 'scanned', version: 2 })
    await Promise.all([moveAround(slot, 3), untilDone(() => confirm(node.origin, ticket, alice))])
    let told = await browser.next('ticket')
    // Socket.IO's adapter emits past us, so what is read anew may say once more what was heard.
    while (query.only === undefined && told.version === 2) told = await browser.next('ticket')
    expect(told).toMatchObject({ status: 'confirmed', version: 3 })
    browser.close()
  },
)

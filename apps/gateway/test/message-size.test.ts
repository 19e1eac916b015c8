import { connectLive, publish, request, startCluster, testApiKey } from '@saoma/testing'

const MOST = 1024 * 1024
const cluster = await startCluster({
  nodes: 1,
  env: { SAOMA_LIMIT_MESSAGE_BYTES: `${MOST}`, SAOMA_LIMIT_BUFFER_BYTES: `${4 * MOST}` },
})
const { origin } = cluster
const channel = 'room:open-large'
/** As large as a message may be, to the byte: two of them are its quotes. */
const data = 'x'.repeat(MOST - 2)

test.each(['websocket', 'polling'])(
  'a message of the largest size that is set passes nginx and the node by %s',
  async (transport) => {
    const live = connectLive(origin, { token: testApiKey, transports: [transport] })
    await live.next('connect')
    expect(await live.publish({ channel, event: 'large', data })).toMatchObject({ ok: true })
    // As many as the client packs into one request.
    const some = Array.from({ length: 20 }, () => live.publish({ channel, event: 'some', data: 'x'.repeat(200_000) }))
    expect((await Promise.all(some)).every(({ ok }) => ok)).toBe(true)
    expect(await live.publish({ channel, event: 'large', data: `${data}x` })).toMatchObject({
      ok: false,
      code: 'TOO_LARGE',
    })
  },
)

test('such a message passes over HTTP, too, in our form and in CONNMIX’s', async () => {
  expect(await publish(origin, { channel, event: 'large', data })).toMatchObject({ status: 200 })
  expect(await publish(origin, { channel, event: 'large', data: `${data}x` })).toMatchObject({ status: 413 })
  const mesh = await request(`${origin}/v1/mesh/publish`, { bearer: testApiKey, json: { c: channel, d: data } })
  expect(mesh.status).toBe(200)
})

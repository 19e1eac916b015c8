import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { onCleanup, startRedis } from '@saoma/testing'
import { createRedis, type RedisClients } from '../src/index.ts'

/** A way to Redis on which connections can be made deaf: what the server says is swallowed, and the connection stays up. */
const startLossyWay = async (port: number) => {
  const ways: { name: string; client: Socket; server: Socket }[] = []
  const server = createServer((client) => {
    const way = { name: '', client, server: dial(port, '127.0.0.1') }
    ways.push(way)
    client.on('data', (bytes) => {
      way.name ||= /saoma:(\w+)/.exec(bytes.toString())?.[1] ?? ''
      way.server.write(bytes)
    })
    way.server.pipe(client)
    for (const [end, other] of [
      [client, way.server],
      [way.server, client],
    ] as const) {
      end.on('error', () => {})
      end.on('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.close()
    for (const { client } of ways) client.destroy()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deafen: (name: string) => {
      const found = ways.filter((way) => way.name === name)
      expect(found).toHaveLength(1)
      for (const { server: from, client } of found) {
        from.unpipe(client)
        from.resume()
      }
    },
  }
}

const listening = async (redis: RedisClients): Promise<string[]> => {
  onCleanup(() => redis.close())
  await redis.subscriber.hold('{room}')
  const heard: string[] = []
  redis.subscriber.on('message', (channel, payload) => {
    if (channel === '{room}') heard.push(payload.toString())
  })
  return heard
}

test('a subscription that is connected but deaf is noticed, said and made anew; without the probe it stays deaf', async () => {
  const server = await startRedis()
  const [way, controlWay] = [await startLossyWay(server.port), await startLossyWay(server.port)]
  const errors: string[] = []
  const probed = await createRedis({
    url: way.url,
    probeMs: 50,
    onError: (error, role) => errors.push(`${role}: ${error.message}`),
  })
  const control = await createRedis({ url: controlWay.url, probeMs: 0 })
  const [heard, heardByControl] = [await listening(probed), await listening(control)]

  way.deafen('sub')
  controlWay.deafen('sub')
  await probed.data.spublish('{room}', 'lost')
  await once(probed.subscriber, 'resubscribed')
  expect(errors).toEqual([expect.stringContaining('sub: the subscription is connected but hears nothing')])

  await probed.data.spublish('{room}', 'heard')
  while (!heard.includes('heard')) await once(probed.subscriber, 'message')
  expect(heard).toEqual(['heard'])
  expect(probed.unavailable()).toEqual([])
  expect(heardByControl).toEqual([])
  expect(control.unavailable()).toEqual([])
})

import { once } from 'node:events'
import { onCleanup, startLossyWay, startRedis } from '@saoma/testing'
import { createRedis, type RedisClients } from '../src/index.ts'

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

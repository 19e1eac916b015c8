import { once } from 'node:events'
import {
  connectLive,
  type Gateway,
  onCleanup,
  request,
  startGateway,
  startRedis,
  until,
  webToken,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

/** Connections made and closed; the long run is `CHURN=50000`. */
const total = Number(process.env.CHURN ?? 800)
const AT_ONCE = 25
/**
 * Heap that code, caches and the machine's mood may add. A leak of one connection's state would be many times
 * this.
 */
const MOST_GROWTH = 3 * 2 ** 20

/** Heap of a node after a full collection, asked over its inspector. */
const openInspector = async (gateway: Gateway) => {
  const line = await gateway.nextLine(({ text }) => text.includes('Debugger listening on ws://'))
  const socket = new WebSocket(/ws:\/\/\S+/.exec(line.text)?.[0] ?? '')
  await once(socket, 'open')
  onCleanup(() => socket.close())
  let id = 0
  const call = async (method: string): Promise<{ usedSize?: number }> => {
    const asked = ++id
    const answered = new Promise<{ usedSize?: number }>((resolve) => {
      const onMessage = ({ data }: MessageEvent) => {
        const { id: answer, result } = JSON.parse(String(data))
        if (answer !== asked) return
        socket.removeEventListener('message', onMessage)
        resolve(result)
      }
      socket.addEventListener('message', onMessage)
    })
    socket.send(JSON.stringify({ id: asked, method }))
    return answered
  }
  return async (): Promise<number> => {
    await call('HeapProfiler.collectGarbage')
    const { usedSize } = await call('Runtime.getHeapUsage')
    return usedSize ?? Number.NaN
  }
}

test(
  `gauges, keys and the heap are as before after ${total} connections came and went`,
  async () => {
    const redis = await startRedis()
    const origin = 'http://127.0.0.1'
    const gateway = await startGateway({
      redisUrl: redis.url,
      nodeId: 'a',
      origin,
      env: { NODE_OPTIONS: '--inspect=127.0.0.1:0', SAOMA_LIMIT_HANDSHAKES: '1000000' },
    })
    const heap = await openInspector(gateway)
    const data = await openOperator(redis.url)
    const { access_token: token } = await webToken(gateway.origin, 'alice')

    const gauges = async () => {
      const { body } = await request<string>(`${gateway.internalOrigin}/metrics`)
      return Object.fromEntries(
        body
          .split('\n')
          .filter((line) => /^saoma_(connections\b|channels|followers|subscriptions|longpoll_waiting)/.test(line))
          .filter((line) => !/_total/.test(line))
          .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
      )
    }
    const settled = async (wanted: Record<string, number>) => {
      await until(gauges, (now) => JSON.stringify(now) === JSON.stringify(wanted))
    }
    const visit = async (n: number) => {
      const client = connectLive(gateway.origin, { token, reconnection: false })
      await client.next('connect')
      const answers = await Promise.all([
        client.subscribe({ channel: `room:open-${n % 500}` }),
        client.subscribe({ channel: 'room:open-all' }),
        client.subscribe({ channel: '@user' }),
      ])
      expect(answers.map(({ ok }) => ok)).toEqual([true, true, true])
      // Half of them leave in order, half just go.
      if (n % 2) await client.unsubscribe({ channel: 'room:open-all' })
      client.close()
    }
    const churn = async (from: number, to: number) => {
      let next = from
      const worker = async () => {
        while (next < to) await visit(next++)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
    }

    const before = await gauges()
    await churn(0, Math.min(500, total / 3))
    await settled(before)
    const warm = await heap()
    await churn(0, total)
    await settled(before)
    expect((await heap()) - warm).toBeLessThan(MOST_GROWTH)
    const people = await data.call('KEYS', '*:channel:*:people*')
    expect(people).toEqual([])
  },
  60_000 + total * 20,
)

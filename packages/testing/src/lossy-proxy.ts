import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { onCleanup } from './cleanup.ts'
import { until } from './metrics.ts'

export interface LossyWay {
  readonly port: number
  /** A Redis URL that leads through this proxy. */
  readonly url: string
  /**
   * From now on the proxy drops what the server sends on the connection of the subscriptions; the connection
   * stays open. Waits until there is exactly one such connection, and a subscription on it is confirmed: on a
   * busy machine it may just be replaced.
   */
  deafen(): Promise<void>
}

/** A proxy to the Redis on that port. It can make a connection deaf. */
export const startLossyWay = async (port: number): Promise<LossyWay> => {
  const ways: { client: Socket; server: Socket; subscribed: boolean }[] = []
  const listener = createServer((client) => {
    const way = { client, server: dial(port, '127.0.0.1'), subscribed: false }
    ways.push(way)
    way.server.on('data', (bytes) => {
      way.subscribed ||= bytes.includes('ssubscribe')
    })
    client.pipe(way.server).pipe(client)
    for (const [end, other] of [
      [client, way.server],
      [way.server, client],
    ] as const) {
      end.on('error', () => {})
      end.on('close', () => other.destroy())
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onCleanup(() => {
    listener.close()
    for (const { client } of ways) client.destroy()
  })
  const listeningOn = (listener.address() as AddressInfo).port
  return {
    port: listeningOn,
    url: `redis://127.0.0.1:${listeningOn}`,
    deafen: async () => {
      const isOne = ({ length }: unknown[]) => length === 1
      const found = await until(async () => ways.filter((way) => way.subscribed && !way.client.destroyed), isOne)
      for (const { client, server } of found) {
        server.unpipe(client)
        server.resume()
      }
    },
  }
}

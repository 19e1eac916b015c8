import { Cluster } from 'ioredis'

/**
 * A Redis Cluster whose sharded subscriptions survive being told to connect anew at any moment.
 *
 * ioredis 6.0 stops the subscriber of each shard then. One that it stops while that is connecting it awaits for ever, and from then on it
 * replaces none: the cluster becomes `ready` and hears nothing. So connecting anew waits here until each of them is connected or has
 * failed, which `connectTimeout` bounds. It asks for that by itself, too, when the cluster calls itself failed or no member answers.
 */
export class SettledCluster extends Cluster {
  #isConnectingShards = false
  #isPostponed = false

  constructor(...args: ConstructorParameters<typeof Cluster<'legacy'>>) {
    super(...args)
    this.on('+subscriber', () => {
      this.#isConnectingShards = true
    })
    this.on('subscribersReady', () => {
      this.#isConnectingShards = false
      if (!this.#isPostponed) return
      this.#isPostponed = false
      // It may have been lost, or closed, by itself meanwhile.
      if (this.status === 'connect' || this.status === 'ready') super.disconnect(true)
    })
  }

  override disconnect(reconnect = false): void {
    if (reconnect && this.#isConnectingShards) this.#isPostponed = true
    else super.disconnect(reconnect)
  }
}

import { member } from './json.ts'
import { applyChange, type Change, type Order } from './order.ts'

/** The local state of an order: the shop's last version, and the person's own taps on top. */
export interface Slip {
  readonly order: Order | undefined
  /** The latest changes, newest first. */
  readonly feed: readonly Change[]
  /** Whether the slip has heard of a change that `order` does not contain yet. */
  readonly isBehind: boolean
  /** Takes a whole order, unless it is older than the current one. */
  take(body: unknown): void
  hear(change: Change): void
  /** Adds a tap on + or - that was sent, under the id of its edit. */
  begin(id: string, dish: string, delta: number): void
  /** Removes the tap: it has arrived, or never will. */
  finish(id: string): void
  /** Quantity of a dish, including the taps. */
  quantity(dish: string): number
}

const MOST_FEED = 5

const orderOf = (body: unknown): Order | undefined =>
  typeof member(body, 'version') === 'number' && Array.isArray(member(body, 'lines')) ? (body as Order) : undefined

export const createSlip = (): Slip => {
  const taps = new Map<string, { dish: string; delta: number }>()
  let order: Order | undefined
  let feed: readonly Change[] = []
  let heard = 0

  return {
    get order() {
      return order
    },
    get feed() {
      return feed
    },
    get isBehind() {
      return !order || order.version < heard
    },
    take: (body) => {
      const next = orderOf(body)
      if (next && next.version >= (order?.version ?? 0)) order = next
    },
    hear: (change) => {
      heard = Math.max(heard, change.version)
      taps.delete(change.id)
      feed = [change, ...feed.filter(({ version }) => version !== change.version)].slice(0, MOST_FEED)
      if (order && change.version === order.version + 1) order = applyChange(order, change)
    },
    begin: (id, dish, delta) => void taps.set(id, { dish, delta }),
    finish: (id) => void taps.delete(id),
    quantity: (dish) => {
      let quantity = order?.lines.find((line) => line.dish === dish)?.quantity ?? 0
      for (const tap of taps.values()) if (tap.dish === dish) quantity += tap.delta
      return Math.max(0, quantity)
    },
  }
}

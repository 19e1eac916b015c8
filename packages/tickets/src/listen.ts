import type { TicketState } from '@saoma/protocol'
import { type ChannelListener, Listeners, type Subscriber } from '@saoma/redis'
import { decodeEvent } from './wire.ts'

/** A waiting follower of a ticket's channel. */
export interface TicketInbox {
  /** Whether the subscription was interrupted, so that the ticket must be read. The follower resets it. */
  missed: boolean
  /** Returns the first received state above `after` that was not taken yet. */
  take(after: number): TicketState | undefined
  /** Resolves when a state was received or missed, after `ms`, or when the signal is aborted. */
  changed(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

/** A listener of one ticket. */
export interface Listener {
  /** Called for a transition. All listeners of the ticket get the same object. */
  hear(state: TicketState): void
  /** The subscription was interrupted, so the ticket must be read. */
  miss(): void
}

export interface Listening {
  /**
   * Resolves once the subscription is confirmed: from then on the listener misses nothing. Rejects with
   * RedisUnavailable after 5 s. Even then it keeps listening until it is removed.
   */
  add(channel: string, listener: Listener): Promise<void>
  remove(channel: string, listener: Listener): void
  /** For a caller that waits. Resolves and rejects like `add`, but a rejection leaves nothing behind. */
  open(channel: string): Promise<TicketInbox>
}

/** All listeners of one ticket on this node. */
class Audience extends Listeners<Listener> implements ChannelListener {
  hear(payload: Buffer): void {
    const state = decodeEvent(payload)
    if (state) this.each((listener) => listener.hear(state))
  }

  miss(): void {
    this.each((listener) => listener.miss())
  }
}

/**
 * Passes each message to the listeners of its ticket. The message is parsed once, so the cost does not grow
 * with the number of long polls on the node.
 */
export const createListening = (subscriber: Subscriber): Listening => {
  const audiences = new Map<string, Audience>()

  subscriber.on('resubscribed', (away) => {
    for (const channel of away.keys()) audiences.get(channel)?.miss()
  })

  const add = (channel: string, listener: Listener): Promise<void> => {
    const present = audiences.get(channel)
    if (present) {
      present.add(listener)
      return subscriber.confirmed(channel)
    }
    const audience = new Audience(listener)
    audiences.set(channel, audience)
    return subscriber.hold(channel, audience)
  }

  const remove = (channel: string, listener: Listener): void => {
    const present = audiences.get(channel)
    if (!present?.remove(listener)) return
    audiences.delete(channel)
    subscriber.release(channel, present)
  }

  const open = async (channel: string): Promise<TicketInbox> => {
    const heard: TicketState[] = []
    let wake = () => {}
    const ear: TicketInbox = {
      missed: false,
      take: (after) => {
        for (let state = heard.shift(); state; state = heard.shift()) if (state.version > after) return state
        return undefined
      },
      changed: (ms, signal) =>
        new Promise((resolve) => {
          if (heard.length > 0 || ear.missed || signal?.aborted) return resolve()
          const done = () => {
            clearTimeout(timer)
            signal?.removeEventListener('abort', done)
            resolve()
          }
          const timer = setTimeout(done, ms)
          signal?.addEventListener('abort', done)
          wake = done
        }),
      close: () => {
        remove(channel, listener)
        wake()
      },
    }
    const listener: Listener = {
      hear: (state) => {
        heard.push(state)
        wake()
      },
      miss: () => {
        ear.missed = true
        wake()
      },
    }
    try {
      await add(channel, listener)
      return ear
    } catch (error) {
      ear.close()
      throw error
    }
  }

  return { add, remove, open }
}

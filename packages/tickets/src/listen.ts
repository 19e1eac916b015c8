import type { TicketState } from '@saoma/protocol'
import type { Subscriber } from '@saoma/redis'
import { decodeEvent } from './wire.ts'

/** One follower of a ticket's channel. */
export interface Ear {
  /** Whether the subscription was away, so that only a read tells the truth. For the follower to clear. */
  missed: boolean
  /** Takes the first state above `after` that was heard and not taken yet. */
  take(after: number): TicketState | undefined
  /** Resolves when something was heard or missed, at the latest after `ms` or when the signal fires. */
  changed(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

interface Listener {
  hear(state: TicketState): void
  miss(): void
}

/**
 * Gives each message to those who follow its channel: one listener on the subscriber for all of them, so that the cost of a message
 * does not grow with the number of long polls on the node.
 */
export const createListening = (subscriber: Subscriber) => {
  const byChannel = new Map<string, Set<Listener>>()

  subscriber.on('message', (channel, payload) => {
    const listeners = byChannel.get(channel)
    const state = listeners && decodeEvent(payload)
    if (state) for (const listener of listeners) listener.hear(state)
  })
  subscriber.on('resubscribed', () => {
    for (const listeners of byChannel.values()) for (const listener of listeners) listener.miss()
  })

  const add = (channel: string, listener: Listener) => {
    const listeners = byChannel.get(channel) ?? new Set()
    byChannel.set(channel, listeners.add(listener))
  }
  const remove = (channel: string, listener: Listener) => {
    const listeners = byChannel.get(channel)
    listeners?.delete(listener)
    if (listeners?.size === 0) byChannel.delete(channel)
  }

  /** Resolves once the subscription is confirmed; rejects with RedisUnavailable. */
  return async (channel: string): Promise<Ear> => {
    const heard: TicketState[] = []
    let wake = () => {}
    const ear: Ear = {
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
        subscriber.release(channel)
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
    // Before the confirmation, or a message that comes right behind it would find nobody.
    add(channel, listener)
    try {
      await subscriber.hold(channel)
      return ear
    } catch (error) {
      ear.close()
      throw error
    }
  }
}

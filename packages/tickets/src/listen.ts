import type { TicketState } from '@saoma/protocol'
import type { Subscriber } from '@saoma/redis'
import { decodeEvent } from './wire.ts'

/** One follower of a ticket's channel. */
export interface TicketInbox {
  /** Whether the subscription was away, so that only a read tells the truth. For the follower to clear. */
  missed: boolean
  /** Takes the first state above `after` that was heard and not taken yet. */
  take(after: number): TicketState | undefined
  /** Resolves when something was heard or missed, at the latest after `ms` or when the signal fires. */
  changed(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

/** Whoever is told of one ticket. */
export interface Listener {
  /** A transition. The same object for all who listen to that ticket. */
  hear(state: TicketState): void
  /** The subscription was away, so that only a read tells the truth. */
  miss(): void
}

export interface Listening {
  /**
   * Resolves once the subscription is confirmed: the listener misses nothing from then on. Rejects with
   * RedisUnavailable after 5 s; also then it listens until it is removed.
   */
  add(channel: string, listener: Listener): Promise<void>
  remove(channel: string, listener: Listener): void
  /** For somebody who waits. Resolves and rejects as `add`, with nothing left behind when it rejects. */
  open(channel: string): Promise<TicketInbox>
}

/**
 * Gives each message to those who follow its channel: one listener on the subscriber for all of them, so that
 * the cost of a message does not grow with the number of long polls on the node.
 */
export const createListening = (subscriber: Subscriber): Listening => {
  /**
   * Nearly every ticket has one listener, and there are as many tickets as waiting browsers: a set for each
   * would be memory.
   */
  const byChannel = new Map<string, Listener | Set<Listener>>()

  const each = (listeners: Listener | Set<Listener>, act: (listener: Listener) => void): void => {
    if (listeners instanceof Set) for (const listener of listeners) act(listener)
    else act(listeners)
  }

  subscriber.on('message', (channel, payload) => {
    const listeners = byChannel.get(channel)
    const state = listeners && decodeEvent(payload)
    if (state) each(listeners, (listener) => listener.hear(state))
  })
  subscriber.on('resubscribed', (away) => {
    for (const channel of away.keys()) {
      const listeners = byChannel.get(channel)
      if (listeners) each(listeners, (listener) => listener.miss())
    }
  })

  const add = (channel: string, listener: Listener): Promise<void> => {
    const present = byChannel.get(channel)
    // Before the confirmation, or a message that comes right behind it would find nobody.
    if (present instanceof Set) present.add(listener)
    else byChannel.set(channel, present ? new Set([present, listener]) : listener)
    return subscriber.hold(channel)
  }

  const remove = (channel: string, listener: Listener): void => {
    const present = byChannel.get(channel)
    if (present instanceof Set) present.delete(listener)
    if (present === listener || (present instanceof Set && present.size === 0)) byChannel.delete(channel)
    subscriber.release(channel)
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

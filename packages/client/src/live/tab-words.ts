import type { SubscribeRequest } from '@saoma/protocol'
import type { Answer, Failure } from '../core/request.ts'
import type { LiveState } from './upstream.ts'

/** Identifies a hub; a later one has a higher term. */
export interface HubId {
  id: string
  term: number
}

/**
 * A request of a tab to the hub. A publication is sent as JSON text, because tabs cannot exchange every value
 * that a page may publish.
 */
export type Question =
  | { ask: 'join'; request: SubscribeRequest }
  | { ask: 'leave'; channel: string }
  | { ask: 'publish'; publication: string }
  | { ask: 'presence'; channel: string }
  | { ask: 'read'; channel: string; offset: number }

/** A page that was requested, and whether the messages after it arrive without gaps. */
export interface Joined {
  page: unknown
  live: boolean
}

export type TabWord =
  /** Asks the hub for a sign of life. */
  | { say: 'ping' }
  /** A tab is visible, or its network is back: retry now. */
  | { say: 'wake' }
  | { say: 'question'; hub: string; tab: string; id: number; question: Question }

export type HubWord =
  | { say: 'hello'; hub: HubId; state: LiveState; hidden: boolean }
  | { say: 'answer'; hub: HubId; tab: string; id: number; answer: Answer<unknown> }
  /** An event of the server about a channel. */
  | { say: 'told'; hub: HubId; channel: string; event: string; body: unknown }
  /** Whether messages of this channel arrive without gaps. */
  | { say: 'settled'; hub: HubId; channel: string; live: boolean }
  /** Messages of this channel are missing: request them from your position. */
  | { say: 'hole'; hub: HubId; channel: string }
  /**
   * `channels`: how many others the hub follows. `told`: the hub's own tab has reported the failure already.
   */
  | { say: 'refused'; hub: HubId; channel: string; failure: Failure; channels: number; told: boolean }
  /** `other`: the hub's token belongs to another person now, so check your identity. */
  | { say: 'gone'; hub: HubId; other: boolean }

export type Word = TabWord | HubWord

export interface TabChannel {
  say(word: Word): void
  close(): void
}

/**
 * The messages between tabs of one name. A sender does not get its own messages, so a tab and its hub have a
 * channel each.
 */
export const openTabChannel = (name: string, listener: (word: Word) => void): TabChannel => {
  const channel = new BroadcastChannel(name)
  channel.onmessage = ({ data }: MessageEvent) => listener(data as Word)
  let closed = false
  return {
    say: (word) => {
      if (!closed) channel.postMessage(word)
    },
    close: () => {
      closed = true
      channel.onmessage = null
      channel.close()
    },
  }
}

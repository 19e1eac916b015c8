import type { SubscribeRequest } from '@saoma/protocol'
import type { Answer, Failure } from '../core/request.ts'
import type { LiveState } from './upstream.ts'

/** Which of the tabs' connections it is; a later one has the higher term. */
export interface HubId {
  id: string
  term: number
}

/**
 * What a tab asks of the hub. A publication goes as its JSON text: what a page publishes may be no value that
 * tabs can hand over.
 */
export type Question =
  | { ask: 'join'; request: SubscribeRequest }
  | { ask: 'leave'; channel: string }
  | { ask: 'publish'; publication: string }
  | { ask: 'presence'; channel: string }
  | { ask: 'read'; channel: string; offset: number }

/** A page that was asked for, and whether what comes after it is whole. */
export interface Joined {
  page: unknown
  live: boolean
}

export type TabWord =
  /** Is anybody there? */
  | { say: 'ping' }
  /** Somebody looks at this tab, or its network is back: try what waits. */
  | { say: 'wake' }
  | { say: 'question'; hub: string; tab: string; id: number; question: Question }

export type HubWord =
  | { say: 'hello'; hub: HubId; state: LiveState; hidden: boolean }
  | { say: 'answer'; hub: HubId; tab: string; id: number; answer: Answer<unknown> }
  /** What the server told of a channel. */
  | { say: 'told'; hub: HubId; channel: string; event: string; body: unknown }
  /** Whether what comes of this channel is whole. */
  | { say: 'settled'; hub: HubId; channel: string; live: boolean }
  /** Something of this channel is missing: ask from where you stand. */
  | { say: 'hole'; hub: HubId; channel: string }
  /** `channels`: how many the hub follows besides. `told`: the tab of the hub has been told already. */
  | { say: 'refused'; hub: HubId; channel: string; failure: Failure; channels: number; told: boolean }
  /** `other`: it found that it is another person's by now, so look who you are. */
  | { say: 'gone'; hub: HubId; other: boolean }

export type Word = TabWord | HubWord

export interface TabChannel {
  say(word: Word): void
  close(): void
}

/**
 * What the tabs of one name say to each other. Nobody hears themselves, so a tab and its hub have one each.
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

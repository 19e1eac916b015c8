import type { Publication, SubscribeRequest } from '@saoma/protocol'
import { type Answer, type Failure, unexpected } from '../core/request.ts'
import { type Locks, whenFree } from './election.ts'
import { createRelayed, type Relayed } from './relayed.ts'
import { type HubId, openTabChannel, type Question, type Word } from './tab-words.ts'
import { createTurns } from './turns.ts'
import { createUpstream, type LiveState, type Upstream, type UpstreamOptions } from './upstream.ts'

export interface HubOptions extends Omit<UpstreamOptions, 'rooms' | 'onState'> {
  /** Name of the tabs' broadcast channel. */
  name: string
  hub: HubId
  locks: Locks
}

/**
 * The connection that tabs share, in the leading tab. It follows each channel once, from the position of the
 * first tab that asked.
 */
export interface Hub {
  /** @param other  the token now belongs to another person */
  close(other?: boolean): void
}

/** When tabs switch to a new hub, each tab asks for each of its rooms. */
const CATCH_UPS_AT_ONCE = 8

/** Name of the lock that a tab holds as long as it exists. */
export const tabLock = (name: string, tab: string): string => `${name}:tab:${tab}`

export const createHub = (options: HubOptions): Hub => {
  const { name, hub, locks, page } = options
  const closing = new AbortController()
  const channels = new Map<string, { relayed: Relayed; tabs: Set<string> }>()
  const tabs = new Set<string>()
  /** Failures that were reported to the tabs concerned. */
  const reported = new WeakSet<Failure>()
  /** Failures that were reported to this tab. */
  const told = new WeakSet<Failure>()
  const inTurn = createTurns(CATCH_UPS_AT_ONCE)
  let state: LiveState = 'connecting'

  const hello = () => words.say({ say: 'hello', hub, state, hidden: page.hidden })

  const rooms = function* () {
    for (const { relayed } of channels.values()) yield relayed.followed
  }

  const leave = (tab: string, channel: string) => {
    const followed = channels.get(channel)
    if (!followed?.tabs.delete(tab) || followed.tabs.size > 0) return
    channels.delete(channel)
    followed.relayed.close()
    upstream.leave(followed.relayed.followed)
  }

  /** A tab that closes sends no message, but its lock becomes free. */
  const watch = (tab: string) => {
    if (tabs.has(tab)) return
    tabs.add(tab)
    whenFree(locks, tabLock(name, tab), closing.signal, () => {
      tabs.delete(tab)
      for (const channel of [...channels.keys()]) leave(tab, channel)
    })
  }

  const open = (request: SubscribeRequest): { relayed: Relayed; tabs: Set<string> } => {
    const { channel } = request
    const relayed = createRelayed(request, {
      tell: (event, body) => words.say({ say: 'told', hub, channel, event, body }),
      onSettled: (live) => words.say({ say: 'settled', hub, channel, live }),
      onHole: () => words.say({ say: 'hole', hub, channel }),
      onRefused: (failure) => {
        if (channels.get(channel)?.relayed === relayed) channels.delete(channel)
        upstream.leave(relayed.followed)
        reported.add(failure)
        words.say({ say: 'refused', hub, channel, failure, channels: channels.size, told: told.has(failure) })
      },
    })
    const opened = { relayed, tabs: new Set<string>() }
    channels.set(channel, opened)
    return opened
  }

  const join = async (tab: string, request: SubscribeRequest): Promise<Answer<unknown>> => {
    watch(tab)
    const known = channels.get(request.channel)
    const { relayed, tabs: following } = known ?? open(request)
    following.add(tab)
    if (!known) upstream.join(relayed.followed)
    const first = await relayed.first
    const page = known ? await inTurn(() => upstream.catchUp(request)) : first
    return page.ok ? { ok: true, value: { page: page.value, live: relayed.live } } : page
  }

  const reply = async (tab: string, question: Question): Promise<Answer<unknown>> => {
    if (question.ask === 'join') return join(tab, question.request)
    if (question.ask === 'publish') return upstream.publish(JSON.parse(question.publication) as Publication)
    if (question.ask === 'presence') return upstream.presence(question.channel)
    if (question.ask === 'read') return upstream.markRead(question.channel, question.offset)
    leave(tab, question.channel)
    return { ok: true, value: undefined }
  }

  const hear = async (word: Word) => {
    if (word.say === 'ping') return hello()
    if (word.say === 'wake') return upstream.wake()
    if (word.say !== 'question' || word.hub !== hub.id) return
    const answer = await reply(word.tab, word.question).catch(unexpected)
    words.say({ say: 'answer', hub, tab: word.tab, id: word.id, answer })
  }

  const words = openTabChannel(name, (word) => void hear(word))

  const upstream: Upstream = createUpstream({
    ...options,
    rooms,
    onFailure: (failure) =>
      queueMicrotask(() => {
        if (reported.has(failure)) return
        told.add(failure)
        options.onFailure(failure)
      }),
    onState: (next) => {
      if (next === state) return
      state = next
      hello()
    },
  })
  const unlisten = page.onChange(hello)
  hello()

  return {
    close: (other = false) => {
      if (closing.signal.aborted) return
      closing.abort()
      unlisten()
      upstream.close()
      words.say({ say: 'gone', hub, other })
      words.close()
    },
  }
}

import {
  type Publication,
  parseInbox,
  parsePresence,
  parsePublished,
  parseSubscribed,
  type Result,
} from '@saoma/protocol'
import { backoffMs, pause, soon } from '../core/backoff.ts'
import type { Page } from '../core/page.ts'
import { type Answer, malformed, unanswered } from '../core/request.ts'
import { createDispatch } from './dispatch.ts'
import { createHubWatch } from './hub-watch.ts'
import type { Followed } from './room.ts'
import { type HubId, type HubWord, type Joined, openTabChannel, type Question, type Word } from './tab-words.ts'
import { isUp, type Link, type Linked } from './upstream.ts'

export interface GuestOptions extends Linked {
  /** Name of the tabs' broadcast channel. */
  name: string
  tab: string
  page: Page
  random: () => number
  /** Whether the hub runs in this tab. */
  leads: () => boolean
  /** The hub should move to this tab. */
  onUseless: () => void
  /** The hub's token now belongs to another person. */
  onOther: () => void
  /** The hub cannot do what this tab needs. */
  onUnfit: () => void
}

/** A tab's link to the connection that tabs share. */
export interface Guest extends Link {
  /** Term of the last known hub. */
  readonly term: number
  /** The present hub is gone. */
  lose(): void
}

/** Events of a room that arrived while it was being joined. */
interface Held {
  told: { event: string; body: unknown }[]
  hole: boolean
}

const RETRY = { baseMs: 300, capMs: 10_000 }
/** A server may not postpone a retry for longer. */
const MAX_RETRY_AFTER_MS = 60_000
/** Longer than the hub waits for the server. */
const ANSWER_MS = 12_000
/** How long a request waits for a hub. */
const HUB_MS = 3_000
const MOST_HELD = 1_000
/**
 * After this many failures the tab gives up on a hub that is connected but cannot read a room's position,
 * because plain HTTP does not get through.
 */
const MOST_TRIES = 8

export const createGuest = (options: GuestOptions): Guest => {
  const { tab, random, rooms } = options
  const pending = new Map<number, (answer: Answer<unknown>) => void>()
  const joining = new Map<Followed, Held>()
  /** Channels whose events arrive without gaps. */
  const whole = new Set<string>()
  const waiting = new Set<() => void>()
  let present = new AbortController()
  let hub: HubId | undefined
  let connected = false
  let term = 0
  let asked = 0

  const ask = (question: Question, timeoutMs?: number): Promise<Answer<unknown>> =>
    new Promise((resolve) => {
      if (!hub) return resolve(unanswered('No tab has the connection at the moment.'))
      const id = ++asked
      const settle = (answer: Answer<unknown>) => {
        clearTimeout(timer)
        pending.delete(id)
        resolve(answer)
      }
      const late = () => settle(unanswered('The tab that has the connection did not answer.'))
      const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
      pending.set(id, settle)
      words.say({ say: 'question', hub: hub.id, tab, id, question })
    })

  const askFor = async <T>(question: Question, parse: (body: unknown) => Result<T>): Promise<Answer<T>> => {
    if (!hub) await soon(waiting, HUB_MS)
    const answer = await ask(question, ANSWER_MS)
    if (!answer.ok) return answer
    const parsed = parse(answer.value)
    return parsed.ok ? parsed : malformed()
  }

  /** Hands over the held events. Returns false if messages before them are missing. */
  const release = (room: Followed, held: Held): boolean => {
    const { told, hole } = held
    held.told = []
    held.hole = false
    let isWhole = !hole
    const dispatch = createDispatch(
      () => [room],
      () => {
        isWhole = false
      },
    )
    for (const { event, body } of told) dispatch.take(event, body)
    return isWhole
  }

  const follow = async (room: Followed, held: Held, signal: AbortSignal) => {
    let unreached = 0
    for (let attempt = 0; room.open && !signal.aborted; attempt++) {
      const answer = await ask({ ask: 'join', request: room.request })
      if (signal.aborted || !room.open) return
      if (answer.ok) {
        const { page: body, live } = answer.value as Joined
        const joined = parseSubscribed(body)
        if (!joined.ok) return room.refuse(malformed())
        room.take(joined.value)
        if (live) whole.add(room.channel)
        if (joined.value.more) {
          attempt = 0
          continue
        }
        if (release(room, held)) return room.settle(whole.has(room.channel))
        await pause(backoffMs(attempt, RETRY, random), signal)
        continue
      }
      // If there are too many channels, the hub reports that separately, with the number that it follows.
      if (answer.code === 'TOO_MANY_CHANNELS') return
      options.onFailure(answer)
      // An answer that is not our server's comes from a proxy; that is temporary.
      const passes = answer.react === 'retry' || answer.react === 'reauth' || answer.code === 'MALFORMED'
      if (!passes) return room.refuse(answer)
      const isReached = answer.code !== 'NETWORK' && answer.code !== 'MALFORMED'
      unreached = connected && !isReached ? unreached + 1 : 0
      if (unreached >= MOST_TRIES) return options.onUnfit()
      const putOff = Math.min(answer.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
      await pause(Math.max(putOff, backoffMs(attempt, RETRY, random)), signal)
    }
  }

  const join = (room: Followed) => {
    if (!hub || joining.has(room)) return
    const held: Held = { told: [], hole: false }
    joining.set(room, held)
    room.settle(false)
    void follow(room, held, present.signal).finally(() => {
      if (joining.get(room) === held) joining.delete(room)
    })
  }

  const each = (channel: string, act: (room: Followed) => void) => {
    for (const room of [...rooms()]) if (room.channel === channel) act(room)
  }

  const told = (channel: string, event: string, body: unknown) =>
    each(channel, (room) => {
      const held = joining.get(room)
      if (!held) createDispatch(() => [room], join).take(event, body)
      else if (held.told.length < MOST_HELD) held.told.push({ event, body })
      else held.hole = true
    })

  /** Forgets the hub and fails all requests to it. */
  const forget = () => {
    hub = undefined
    watch.forget()
    connected = false
    present.abort()
    present = new AbortController()
    joining.clear()
    whole.clear()
    for (const settle of [...pending.values()]) settle(unanswered('Another tab takes over the connection.'))
  }

  const lose = () => {
    forget()
    for (const room of rooms()) room.settle(false)
    options.onState('connecting')
  }

  const wakeWaiting = () => {
    for (const done of [...waiting]) done()
  }

  const meet = (next: HubId) => {
    forget()
    hub = next
    term = next.term
    for (const room of rooms()) join(room)
    wakeWaiting()
  }

  const hello = ({ hub: from, state, hidden }: HubWord & { say: 'hello' }) => {
    if (from.id !== hub?.id) {
      // A hub that was replaced may not know it yet.
      if (hub && from.term <= term) return
      meet(from)
    }
    connected = isUp(state)
    watch.heard(state, hidden)
    options.onState(state)
  }

  const refused = ({ channel, failure, channels, told }: HubWord & { say: 'refused' }) => {
    const mine = [...rooms()].filter((room) => room.channel === channel && room.open)
    if (mine.length === 0) return
    // This tab's channels may fit into a connection of its own.
    const own = new Set([...rooms()].map((room) => room.channel))
    if (failure.code === 'TOO_MANY_CHANNELS' && channels >= own.size) return options.onUnfit()
    if (!told || !options.leads()) options.onFailure(failure)
    for (const room of mine) room.refuse(failure)
  }

  const hear = (word: Word) => {
    if (word.say === 'hello') return hello(word)
    if (word.say === 'ping' || word.say === 'wake' || word.say === 'question' || word.hub.id !== hub?.id) return
    if (word.say === 'told') return told(word.channel, word.event, word.body)
    if (word.say === 'refused') return refused(word)
    if (word.say === 'answer') {
      if (word.tab === tab) pending.get(word.id)?.(word.answer)
    } else if (word.say === 'settled') {
      if (word.live) whole.add(word.channel)
      else whole.delete(word.channel)
      each(word.channel, (room) => {
        if (!joining.has(room)) room.settle(word.live)
      })
    } else if (word.say === 'hole') {
      each(word.channel, (room) => {
        const held = joining.get(room)
        if (held) held.hole = true
        else join(room)
      })
    } else {
      lose()
      if (word.other) return options.onOther()
      // Another hub may have started without this tab noticing.
      words.say({ say: 'ping' })
    }
  }

  const words = openTabChannel(options.name, hear)

  const watch = createHubWatch({
    page: options.page,
    random,
    leads: options.leads,
    ping: () => words.say({ say: 'ping' }),
    wake: () => words.say({ say: 'wake' }),
    onUseless: options.onUseless,
  })

  return {
    get term() {
      return term
    },
    lose,
    join,
    leave: (room) => {
      for (const other of rooms()) if (other.channel === room.channel) return
      void ask({ ask: 'leave', channel: room.channel }, ANSWER_MS)
    },
    publish: (publication: Publication) =>
      askFor({ ask: 'publish', publication: JSON.stringify(publication) }, parsePublished),
    presence: (channel) => askFor({ ask: 'presence', channel }, parsePresence),
    markRead: (channel, offset) => askFor({ ask: 'read', channel, offset }, parseInbox),
    close: () => {
      for (const room of rooms()) void ask({ ask: 'leave', channel: room.channel })
      forget()
      watch.close()
      wakeWaiting()
      words.close()
    },
  }
}

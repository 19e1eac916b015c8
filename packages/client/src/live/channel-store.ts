import type { Inbox, Message, PresenceChange, VolatileMessage } from '@saoma/protocol'
import { createEmitter } from '../core/emitter.ts'
import { type Answer, type Failure, failureFor } from '../core/request.ts'
import type { Lost } from './cursor.ts'
import type { Live } from './live.ts'
import type { Room, RoomState, Told } from './room.ts'

/** What components show of a channel. */
export interface ChannelState<Events extends object = Record<string, unknown>> {
  /** `idle`: it is not followed, because nobody is logged in or no component asks for it. */
  readonly state: 'idle' | RoomState
  /** The newest messages, the oldest first, without a gap: a loss empties the list. */
  readonly messages: readonly Told<Events, Message>[]
  /** Of a person's own channel, once it is known. */
  readonly inbox: Inbox | undefined
  /** Why it is `refused`. */
  readonly failure: Failure | undefined
}

/** Who follows a channel. */
export interface Present {
  /** Ids of people, at most 1000. */
  readonly users: readonly string[]
  /** Number of people. 0 until it is known: whoever asks is there too. */
  readonly count: number
}

/** How a component follows a channel, and what it hears. */
export interface ChannelOptions<Events extends object = Record<string, unknown>> {
  /**
   * Begin with this many of the newest messages, at most 100. Of the components that ask in the same turn,
   * the largest number counts. A channel that is followed already keeps what it has.
   * @default 0
   */
  history?: number
  /** Each kept message that comes while the component is there: once, in order. */
  onMessage?: (message: Told<Events, Message>) => void
  /** Messages that are not kept. Some may be lost, and none arrive by long poll. */
  onVolatile?: (message: Told<Events, VolatileMessage>) => void
  /** Messages are lost for good: read the state anew from your backend. */
  onLost?: (lost: Lost) => void
}

/** One component that follows. */
export interface Following {
  /** Read anew for every event, so that a component can change its listeners. */
  options: () => ChannelOptions
  presence: boolean
  onChange: () => void
}

/** One channel of a page, however many of its components follow it. */
export interface ChannelStore {
  readonly state: ChannelState
  readonly present: Present
  readonly isFollowed: boolean
  /** Returns the function that stops following. */
  follow(following: Following): () => void
  /** Opens the channel of this connection, unless it is open. It continues from the last position. */
  open(live: Live): void
  /** Closes it. @param forget  also the messages and the position: they are of another person */
  leave(forget: boolean): void
  markRead(offset?: number): Promise<Answer<Inbox>>
}

interface Events {
  change: undefined
  message: Told<Record<string, unknown>, Message>
  volatile: Told<Record<string, unknown>, VolatileMessage>
  lost: Lost
}

const MOST_USERS = 1_000

export const IDLE: ChannelState = { state: 'idle', messages: [], inbox: undefined, failure: undefined }
export const NOBODY: Present = { users: [], count: 0 }

/** Joining twice, or leaving twice, is the same as once: an answer may know of a change already. */
const withChange = ({ users }: Present, { event, user, count }: PresenceChange): Present => {
  const others = users.filter((other) => other !== user)
  return { users: event === 'join' ? [...others, user].slice(0, MOST_USERS) : others, count }
}

/** @param keep  how many messages the list holds at most */
export const createChannelStore = (name: string, keep: number): ChannelStore => {
  const events = createEmitter<Events>()
  const followings = new Set<Following>()
  let room: Room | undefined
  let since: Room['position']
  let state = IDLE
  let present = NOBODY
  /** What came while the server was asked who is there. */
  let changes: PresenceChange[] | undefined

  const change = (next: Partial<ChannelState>) => {
    state = { ...state, ...next }
    events.emit('change', undefined)
  }

  const show = (next: Present) => {
    present = next
    events.emit('change', undefined)
  }

  const askPresence = async () => {
    const asked = room
    if (asked?.state !== 'live' || ![...followings].some(({ presence }) => presence)) return
    const told: PresenceChange[] = []
    changes = told
    const answer = await asked.presence()
    if (changes !== told) return // It was left, or the question was asked again.
    changes = undefined
    if (answer.ok) show(told.reduce(withChange, { users: answer.value.users, count: answer.value.count }))
  }

  const listen = (opened: Room) => {
    opened.on('state', (next) => {
      if (room !== opened) return
      change({ state: next })
      void askPresence()
    })
    opened.on('message', (message) => {
      change({ messages: keep > 0 ? [...state.messages, message].slice(-keep) : [] })
      events.emit('message', message)
    })
    opened.on('lost', (lost) => {
      change({ messages: [] })
      events.emit('lost', lost)
    })
    opened.on('volatile', (message) => events.emit('volatile', message))
    opened.on('inbox', (inbox) => change({ inbox }))
    opened.on('refused', (failure) => change({ failure }))
    opened.on('presence', (next) => {
      changes?.push(next)
      if (present !== NOBODY) show(withChange(present, next))
    })
  }

  return {
    get state() {
      return state
    },
    get present() {
      return present
    },
    get isFollowed() {
      return followings.size > 0
    },
    follow: (following) => {
      const { options, onChange, presence } = following
      followings.add(following)
      const stops = [
        events.on('change', () => onChange()),
        events.on('message', (message) => options().onMessage?.(message)),
        events.on('volatile', (message) => options().onVolatile?.(message)),
        events.on('lost', (lost) => options().onLost?.(lost)),
      ]
      // Otherwise it is known, or asked for as soon as the channel is live.
      if (presence && present === NOBODY && !changes) void askPresence()
      return () => {
        followings.delete(following)
        for (const stop of stops) stop()
      }
    },
    open: (live) => {
      if (room) return
      const history = Math.max(0, ...[...followings].map(({ options }) => options().history ?? 0))
      const opened = live.channel(name, { history, ...(since ? { since } : {}) })
      room = opened
      listen(opened)
      change({ state: opened.state, failure: undefined })
    },
    leave: (forget) => {
      const was = room
      room = undefined
      changes = undefined
      since = forget ? undefined : (was?.position ?? since)
      was?.close()
      if (!forget || (state === IDLE && present === NOBODY)) return
      state = IDLE
      show(NOBODY)
    },
    markRead: async (offset) => room?.read(offset) ?? failureFor('UNAUTHORIZED'),
  }
}

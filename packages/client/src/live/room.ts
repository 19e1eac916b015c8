import {
  type Inbox,
  isEmptyEpoch,
  type Message,
  type Position,
  type Presence,
  type PresenceChange,
  type Published,
  parsePosition,
  type Subscribed,
  type SubscribeRequest,
  type VolatileMessage,
} from '@saoma/protocol'
import { createEmitter, type Listenable } from '../core/emitter.ts'
import type { Answer, Failure } from '../core/request.ts'
import type { createStored } from '../core/storage.ts'
import { isCalled } from './channel-name.ts'
import { createCursor, type Lost } from './cursor.ts'

/**
 * A message of a channel with declared events: `event` determines the type of `data`. The types are the
 * caller's claim; nothing verifies them.
 */
export type Told<Events extends object, M extends VolatileMessage> = {
  [E in keyof Events & string]: Omit<M, 'event' | 'data'> & { event: E; data: Events[E] }
}[keyof Events & string]

/** `refused`: the server does not let us follow the channel; there are no further tries. */
export type RoomState = 'joining' | 'live' | 'refused' | 'closed'

/** Events of a channel. `Events` declares the data of each message, for the compiler alone. */
export interface RoomEvents<Events extends object> {
  /** Each kept message once, in order. */
  message: Told<Events, Message>
  /** Not kept. Some may be lost, and none arrive by long poll. */
  volatile: Told<Events, VolatileMessage>
  /** A person came or left, in channels that announce it. Not by long poll. */
  presence: PresenceChange
  /** For a person's own channel: its read offset and unread count. */
  inbox: Inbox
  /** Messages are lost for good: reload the state from your backend. Later messages arrive without gaps. */
  lost: Lost
  state: RoomState
  refused: Failure
}

/**
 * One channel of a live connection. Add listeners in the same turn in which it was opened: no event fires
 * before the next turn.
 */
export interface Room<Events extends object = Record<string, unknown>> extends Listenable<RoomEvents<Events>> {
  /** The name under which it was opened. */
  readonly channel: string
  readonly state: RoomState
  /**
   * Every message up to here was handed on; undefined before the first answer. Store it to continue later.
   */
  readonly position: Position | undefined
  /** The inbox of a person's own channel, once it is known. */
  readonly inbox: Inbox | undefined
  /** Publishes into this channel, like `publish` of the connection. */
  publish<E extends keyof Events & string>(
    event: E,
    data: Events[E],
    options?: { idempotencyKey?: string; volatile?: boolean },
  ): Promise<Answer<Published>>
  /** Asks who follows the channel now, over all nodes. */
  presence(): Promise<Answer<Presence>>
  /** For a person's own channel: marks everything up to `offset` as read. @default the present position */
  read(offset?: number): Promise<Answer<Inbox>>
  /** Stops following the channel. */
  close(): void
}

/** Where in the channel's log to begin; by default with the next message. */
export interface RoomOptions {
  /** Continue after this position. @default the one stored in `positions`, if any */
  since?: Position
  /** Without a position: begin with this many of the newest messages, at most 100. @default 0 */
  history?: number
}

/** A room as the doors see it. */
export interface Followed {
  readonly channel: string
  readonly position: Position | undefined
  readonly inbox: Inbox | undefined
  readonly history: number
  /** Neither closed nor refused. */
  readonly open: boolean
  readonly request: SubscribeRequest
  /** Whether this full name is the room's channel. */
  is(name: string): boolean
  /** Takes the answer to a request from the present position. */
  take(page: Subscribed): void
  /** Returns false if messages before this one are missing. */
  receive(message: Message): boolean
  pass(message: VolatileMessage): void
  change(presence: PresenceChange): void
  counted(inbox: Inbox): void
  /** Whether messages now arrive without gaps. */
  settle(live: boolean): void
  /** @param isTold  the failure was reported already. @default false */
  refuse(failure: Failure, isTold?: boolean): void
}

export interface RoomDeps {
  stored: ReturnType<typeof createStored> | undefined
  publish: Room['publish']
  presence: Room['presence']
  markRead: (offset: number) => Promise<Answer<Inbox>>
  onClose: () => void
}

export const createRoom = (
  channel: string,
  { since, history = 0 }: RoomOptions,
  deps: RoomDeps,
): { room: Room; followed: Followed } => {
  const events = createEmitter<RoomEvents<Record<string, unknown>>>()
  // `since` may be a framework's Proxy, which cannot be sent to another tab.
  const from = since && { epoch: since.epoch, offset: since.offset }
  const kept = since ? undefined : recall(deps.stored?.read())
  /** The channel's full name, once it is known. */
  let name = kept?.channel
  let state: RoomState = 'joining'
  let inbox: Inbox | undefined
  let saving = false

  const open = () => state === 'joining' || state === 'live'

  const enter = (next: RoomState) => {
    if (next === state || !open()) return
    state = next
    events.emit('state', next)
  }

  /** Writes once per burst. */
  const save = () => {
    if (!deps.stored || saving) return
    saving = true
    queueMicrotask(() => {
      saving = false
      if (cursor.position) deps.stored?.write({ channel: name, ...cursor.position })
    })
  }

  const counted = (next: Inbox) => {
    if (!open() || (inbox?.read === next.read && inbox.unread === next.unread)) return
    inbox = next
    events.emit('inbox', next)
  }

  /**
   * Updates the unread count between the server's counts. Messages that the server has already counted do not
   * raise it.
   */
  const count = (before: Position | undefined) => {
    const { position } = cursor
    if (!inbox || !position || !before) return
    if (position.epoch !== before.epoch && !isEmptyEpoch(before.epoch)) return
    const unread = inbox.unread + Math.max(0, position.offset - before.offset)
    counted({ read: inbox.read, unread: Math.min(unread, Math.max(0, position.offset - inbox.read)) })
  }

  const newCursor = (position: Position | undefined) =>
    createCursor({
      position,
      onMessage: (message) => {
        save()
        events.emit('message', message)
      },
      onLost: (lost) => events.emit('lost', lost),
    })
  let cursor = newCursor(from ?? kept)

  const take = (page: Subscribed) => {
    if (!open()) return
    const { reason, ...begin } = page
    const moved = name !== undefined && name !== page.channel
    if (moved) {
      // `@user` now means another person. The former position is meaningless, and nothing was lost.
      cursor = newCursor(undefined)
      inbox = undefined
    }
    name = page.channel
    const before = cursor.position
    cursor.take(moved ? begin : page)
    save()
    if (page.inbox) counted(page.inbox)
    else count(before)
  }

  const receive = (message: Message): boolean => {
    if (!open()) return true
    const before = cursor.position
    const whole = cursor.receive(message)
    count(before)
    return whole
  }

  const room: Room = {
    channel,
    get state() {
      return state
    },
    get position() {
      return cursor.position
    },
    get inbox() {
      return inbox
    },
    on: events.on,
    publish: deps.publish,
    presence: deps.presence,
    read: async (offset = cursor.position?.offset ?? 0) => {
      const answer = await deps.markRead(offset)
      if (answer.ok) counted(answer.value)
      return answer
    },
    close: () => {
      if (state === 'closed') return
      cursor.close()
      const wasOpen = open()
      state = 'closed'
      events.emit('state', state)
      if (wasOpen) deps.onClose()
    },
  }

  const followed: Followed = {
    channel,
    history,
    get position() {
      return cursor.position
    },
    get inbox() {
      return inbox
    },
    get open() {
      return open()
    },
    get request() {
      const { position } = cursor
      return { channel, ...(position ? { since: position } : {}), ...(history > 0 ? { history } : {}) }
    },
    is: (full) => isCalled(channel, full),
    take,
    receive,
    pass: (message) => {
      if (open()) events.emit('volatile', message)
    },
    change: (presence) => {
      if (open()) events.emit('presence', presence)
    },
    counted,
    settle: (live) => enter(live ? 'live' : 'joining'),
    refuse: (failure, isTold = false) => {
      if (!open()) return
      cursor.close()
      enter('refused')
      deps.onClose()
      events.emit('refused', failure)
      // Otherwise a developer might wait in vain for messages.
      if (!isTold && !events.isHeard('refused'))
        console.warn(`Saoma: ${channel} is not followed: ${failure.code}, ${failure.message}`)
    },
  }

  return { room, followed }
}

/** The position that the previous page stored for a channel. */
const recall = (value: unknown): (Position & { channel: string }) | undefined => {
  const position = parsePosition(value)
  const { channel } = (value ?? {}) as { channel?: unknown }
  return position.ok && typeof channel === 'string' ? { channel, ...position.value } : undefined
}

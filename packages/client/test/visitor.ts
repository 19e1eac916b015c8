import type { Message, Position } from '@saoma/protocol'
import { onCleanup, publish } from '@saoma/testing'
import { createLive, type Live, type LiveEvents, type LiveOptions, type LiveState } from '../src/live/live.ts'
import type { Room, RoomEvents, RoomState } from '../src/live/room.ts'
import { heard } from './heard.ts'

type AnyEvents = Record<string, unknown>

export interface Visitor {
  live: Live
  /** States in the order they came. */
  states: LiveState[]
  /** Codes of all that failed. */
  failures: string[]
  /** Resolves at the state, at once if it is the present one. */
  at(state: LiveState): Promise<unknown>
  /** The next time that this state comes. */
  next(state: LiveState): Promise<unknown>
}

/** A live connection as a page has it. Closed at the end of the test file. */
export const openLive = (options: LiveOptions, create = createLive): Visitor => {
  const live = create(options)
  onCleanup(() => live.close())
  const states: LiveState[] = []
  const failures: string[] = []
  live.on('state', (state) => states.push(state))
  live.on('error', ({ code }) => failures.push(code))
  const next = (state: LiveState) => heard<LiveEvents>(live)('state', (now): now is LiveState => now === state)
  return { live, states, failures, next, at: async (state) => live.state === state || next(state) }
}

export interface Heard {
  room: Room
  messages: Message[]
  /** `data` of the messages: the numbers of a numbered stream. */
  readonly numbers: unknown[]
  lost: RoomEvents<AnyEvents>['lost'][]
  at(state: RoomState): Promise<unknown>
  /** Resolves when this number of the stream has come. */
  until(number: number): Promise<unknown>
  /** Resolves when this many messages have come. */
  untilCount(count: number): Promise<unknown>
}

/** Writes down all that a room says from now on. */
export const listen = (room: Room): Heard => {
  const messages: Message[] = []
  const lost: Heard['lost'] = []
  room.on('message', (message) => messages.push(message))
  room.on('lost', (loss) => lost.push(loss))
  return {
    room,
    messages,
    lost,
    get numbers() {
      return messages.map(({ data }) => data)
    },
    at: async (state) =>
      room.state === state || heard<RoomEvents<AnyEvents>>(room)('state', (now): now is RoomState => now === state),
    until: async (number) =>
      messages.some(({ data }) => data === number) ||
      heard<RoomEvents<AnyEvents>>(room)('message', (message): message is Message => message.data === number),
    untilCount: async (count) =>
      messages.length >= count ||
      heard<RoomEvents<AnyEvents>>(room)('message', (_message): _message is Message => messages.length >= count),
  }
}

/** 1 to `n`. */
export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)

/** Publishes numbers as a backend does, one after the other; resolves with the position of the last. */
export const publishNumbers = async (origin: string, channel: string, from: number, to: number): Promise<Position> => {
  let last: Position | undefined
  for (let number = from; number <= to; number++) {
    const { status, body } = await publish<Position>(origin, { channel, event: 'number', data: number })
    if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
    last = body
  }
  if (!last) throw new Error('nothing to publish')
  return last
}

/** Numbers that may be on their way: fewer than a log keeps. */
const AHEAD = 200

/**
 * Publishes number after number into a room until `over` resolves: what happens meanwhile happens in the
 * middle of a stream. Resolves with the last.
 */
export const publishUntil = async (
  origin: string,
  { room, numbers, until }: Heard,
  over: Promise<unknown>,
): Promise<number> => {
  let done = false
  const finished = over.finally(() => {
    done = true
  })
  let number = numbers.length
  while (!done) {
    await publishNumbers(origin, room.channel, ++number, number)
    if (number > AHEAD) await Promise.race([finished, until(number - AHEAD)])
  }
  await finished
  return number
}

import type { Live } from '@saoma/client'
import type { Person } from '../demo/demo.ts'
import { textOf } from '../demo/json.ts'
import { drawId } from '../demo/shop-api.ts'

export const MOST_TEXT = 1_000
export const MOST_NAME = 40

/** Events that members of the room publish. They may contain anything, so their type is `unknown`. */
interface ChatEvents {
  /** `{ id, name, text }` */
  said: unknown
  /** Volatile `{ name }`: a person came. */
  hello: unknown
  /** Volatile `{ name }`: the answer to a hello, because a newcomer does not know our name yet. */
  here: unknown
  /** Volatile `{ name }` */
  typing: unknown
}

export interface Said {
  kind: 'said'
  offset: number
  /** The publishing page draws it. */
  id: string
  from: string
  name: string
  text: string
  /** Milliseconds since 1970. */
  time: number
}

/** Messages that are lost here for good. */
export interface Missing {
  kind: 'missing'
  offset: number
}

/** Our own message that is on its way, or that failed. */
export interface Pending {
  id: string
  text: string
  /** When the message was sent, by `performance.now()`. */
  since: number
  failure?: string
}

export interface Chat {
  readonly entries: readonly (Said | Missing)[]
  readonly pending: readonly Pending[]
  /** Ids of the present people, as far as the server has sent them. */
  readonly people: readonly string[]
  /** Number of people in the room. */
  readonly count: number
  /** Names of the people who are typing. */
  readonly typing: readonly string[]
  nameOf(id: string): string
  say(text: string): void
  /** Sends a failed message once more. */
  again(id: string): void
  /** Announces that the person is typing. */
  type(): void
  close(): void
}

export interface ChatDeps {
  live: Live
  me: Person
  update: () => void
}

const HISTORY = 50
const MOST_ENTRIES = 500
/** Up to this many people answer a hello with their name. In larger rooms names come with messages. */
const MOST_GREETINGS = 30
const TYPING_SHOWN_MS = 4_000
const TYPING_EVERY_MS = 2_000

export const createChat = (name: string, { live, me, update }: ChatDeps): Chat => {
  const room = live.channel<ChatEvents>(`room:chat-${name}`, { history: HISTORY })
  const names = new Map<string, string>([[me.id, me.name]])
  const typing = new Map<string, ReturnType<typeof setTimeout>>()
  const people = new Set<string>()
  let entries: readonly (Said | Missing)[] = []
  let pending: readonly Pending[] = []
  let count = 0
  /** Number of presence events that arrived. */
  let changes = 0
  let typedAt = 0
  /** One message at a time, so that messages keep their order. */
  let sending = Promise.resolve()

  const add = (entry: Said | Missing) => {
    entries = [...entries, entry].slice(-MOST_ENTRIES)
  }

  const settle = (id: string, failure?: string) => {
    pending = failure
      ? pending.map((each) => (each.id === id ? { ...each, failure } : each))
      : pending.filter((each) => each.id !== id)
    update()
  }

  const stopTyping = (id: string) => {
    clearTimeout(typing.get(id))
    typing.delete(id)
  }

  const learn = (id: string | undefined, data: unknown): string | undefined => {
    const given = textOf(data, 'name', MOST_NAME)
    if (id && id !== me.id && given) names.set(id, given)
    return given
  }

  const greet = (event: 'hello' | 'here') => void room.publish(event, { name: me.name }, { volatile: true })

  const countPeople = async () => {
    const before = changes
    const answer = await room.presence()
    if (!answer.ok) return
    // A person came or left during the request, so the answer may be outdated.
    if (changes !== before) return void countPeople()
    people.clear()
    for (const id of answer.value.users) people.add(id)
    count = answer.value.count
    update()
  }

  room.on('message', ({ event, data, from, offset, time }) => {
    const text = textOf(data, 'text', MOST_TEXT)
    if (event !== 'said' || !text) return
    // A message of the application itself has no sender.
    const given = from ? (learn(from, data) ?? `#${from.slice(0, 4)}`) : (textOf(data, 'name', MOST_NAME) ?? '')
    const id = textOf(data, 'id', MOST_NAME) ?? `${offset}`
    if (from) stopTyping(from)
    add({ kind: 'said', offset, id, from: from ?? '', name: given, text, time })
    // Our own message has arrived, so it is not pending anymore.
    if (from === me.id) settle(id)
    else update()
  })

  room.on('volatile', ({ event, data, from }) => {
    if (!from || from === me.id) return
    const given = learn(from, data)
    if (event === 'hello' && count <= MOST_GREETINGS) greet('here')
    if (event === 'typing' && given) {
      stopTyping(from)
      typing.set(
        from,
        setTimeout(() => {
          typing.delete(from)
          update()
        }, TYPING_SHOWN_MS),
      )
    }
    update()
  })

  room.on('presence', ({ event, user, count: now }) => {
    changes++
    if (event === 'join') people.add(user)
    else {
      people.delete(user)
      stopTyping(user)
    }
    count = now
    update()
  })

  room.on('lost', ({ position }) => {
    add({ kind: 'missing', offset: position.offset })
    update()
  })

  // Presence events arrive only while the room is live.
  room.on('state', (state) => {
    if (state === 'live') {
      greet('hello')
      void countPeople()
    }
    update()
  })

  const send = (id: string, text: string) => {
    sending = sending.then(async () => {
      const answer = await room.publish('said', { id, name: me.name, text }, { idempotencyKey: id })
      // On success the message itself settles it; it follows, or has arrived already.
      if (!answer.ok) settle(id, answer.code)
    })
  }

  return {
    get entries() {
      return entries
    },
    get pending() {
      return pending
    },
    get people() {
      return [...people]
    },
    get count() {
      return count
    },
    get typing() {
      return [...typing.keys()].map((id) => names.get(id) ?? id)
    },
    nameOf: (id) => names.get(id) ?? `#${id.slice(0, 4)}`,
    say: (written) => {
      const text = written.trim().slice(0, MOST_TEXT)
      if (!text) return
      const id = drawId()
      pending = [...pending, { id, text, since: performance.now() }]
      typedAt = 0
      send(id, text)
      update()
    },
    again: (id) => {
      const failed = pending.find((each) => each.id === id)
      if (!failed) return
      pending = pending.map((each) => (each.id === id ? { id, text: each.text, since: performance.now() } : each))
      send(id, failed.text)
      update()
    },
    type: () => {
      if (Date.now() - typedAt < TYPING_EVERY_MS) return
      typedAt = Date.now()
      void room.publish('typing', { name: me.name }, { volatile: true })
    },
    close: () => {
      for (const timer of typing.values()) clearTimeout(timer)
      room.close()
    },
  }
}

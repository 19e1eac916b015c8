import type { Subscribed, SubscribeRequest } from '@saoma/protocol'
import { type Answer, type Failure, unanswered } from '../core/request.ts'
import { isCalled } from './channel-name.ts'
import { createCursor } from './cursor.ts'
import type { Followed } from './room.ts'

export interface RelayedDeps {
  /** Passes on an event of the server. */
  tell: (event: string, body: unknown) => void
  onSettled: (live: boolean) => void
  /** Messages are lost for good. */
  onHole: () => void
  onRefused: (failure: Failure) => void
}

/** A channel that the hub follows for tabs. Each tab has its own position. */
export interface Relayed {
  readonly followed: Followed
  /** Whether messages arrive without gaps. */
  readonly live: boolean
  /** The answer to the first request. */
  readonly first: Promise<Answer<Subscribed>>
  close(): void
}

export const createRelayed = (begin: SubscribeRequest, deps: RelayedDeps): Relayed => {
  const { channel } = begin
  /** The channel's full name, once it is known. */
  let name = channel
  let inbox: Followed['inbox']
  let open = true
  let live = false
  /** The first page goes to the tab that asked, so its messages need not be passed on. */
  let begun = false
  let answer: (page: Answer<Subscribed>) => void = () => {}
  const first = new Promise<Answer<Subscribed>>((resolve) => {
    answer = resolve
  })

  const cursor = createCursor({
    position: begin.since ?? undefined,
    onMessage: (message) => {
      if (begun) deps.tell('message', message)
    },
    onLost: () => {
      if (begun) deps.onHole()
    },
  })

  const close = (why: Failure) => {
    open = false
    cursor.close()
    answer(why)
    if (live) deps.onSettled(false)
    live = false
  }

  const followed: Followed = {
    channel,
    get history() {
      return begun ? 0 : (begin.history ?? 0)
    },
    get position() {
      return cursor.position
    },
    get inbox() {
      return inbox
    },
    get open() {
      return open
    },
    get request() {
      const { position } = cursor
      const { history } = followed
      return { channel, ...(position ? { since: position } : {}), ...(history > 0 ? { history } : {}) }
    },
    is: (full) => isCalled(channel, full),
    take: (page) => {
      if (!open) return
      name = page.channel
      cursor.take(page)
      if (!begun) {
        begun = true
        // With the long poll the inbox is requested separately and may have arrived first.
        answer({ ok: true, value: inbox ? { inbox, ...page } : page })
      }
      if (page.inbox) followed.counted(page.inbox)
    },
    receive: (message) => !open || cursor.receive(message),
    pass: (message) => deps.tell('volatile', message),
    change: (presence) => deps.tell('presence', presence),
    counted: (next) => {
      inbox = next
      deps.tell('inbox', { channel: name, ...next })
    },
    settle: (next) => {
      if (!open || next === live) return
      live = next
      deps.onSettled(live)
    },
    refuse: (failure) => {
      if (!open) return
      close(failure)
      deps.onRefused(failure)
    },
  }

  return {
    followed,
    get live() {
      return live
    },
    first,
    close: () => close(unanswered('This channel is no longer followed.')),
  }
}

import type { Subscribed, SubscribeRequest } from '@saoma/protocol'
import { type Answer, type Failure, unanswered } from '../core/request.ts'
import { isCalled } from './channel-name.ts'
import { createCursor } from './cursor.ts'
import type { Followed } from './room.ts'

export interface RelayedDeps {
  /** Hands on what the server told. */
  tell: (event: string, body: unknown) => void
  onSettled: (live: boolean) => void
  /** Messages are missing for good. */
  onHole: () => void
  onRefused: (failure: Failure) => void
}

/** A channel that is followed for tabs, each of which stands where it stands. */
export interface Relayed {
  readonly followed: Followed
  /** Whether what comes now is whole. */
  readonly live: boolean
  /** The answer to the request with which it began. */
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
  /** The page that answers the first request goes to who asked, and need not be told. */
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
        // By long poll the inbox is asked for apart, and may have come first.
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
    close: () => close(unanswered('This channel is followed no longer.')),
  }
}

import { backoffMs, pause, soon } from '../core/backoff.ts'
import { boundBy } from '../core/bound.ts'
import { decodeClaims } from '../core/claims.ts'
import { now } from '../core/clock.ts'
import { onPageHide, onPageReturn } from '../core/page.ts'
import { unanswered } from '../core/request.ts'
import { drawKey } from '../core/retry.ts'
import { createElection, hold, type Locks } from './election.ts'
import { createGuest, type Guest } from './guest.ts'
import { createHub, type Hub, tabLock } from './hub.ts'
import { identityOf, type Known, tokensOf } from './identity.ts'
import { createUpstream, type Link, type UpstreamOptions } from './upstream.ts'

/** Version of the words. Raise it when tabs of two builds would not understand each other. */
const WORDS = 1
const RETRY = { baseMs: 300, capMs: 10_000 }
/** How long a request waits for a link. */
const LINK_MS = 3_000
/** If the identity changes again within this time, the tokens differ in something irrelevant. */
const CHANGES_MS = 60_000
/** How long before the end of its token a tab checks its identity. By then a session returns a new token. */
const AHEAD_MS = 20_000
/** With a longer token, the check happens after this time. */
const LONGEST_MS = 3_600_000

const early = () => unanswered('There is no connection yet.')

const locksHere = (): Locks | undefined => (globalThis.navigator as Partial<Navigator> | undefined)?.locks

/** Whether this environment has what tabs need to share a connection. By default only in a page. */
export const isShareable = (asked: boolean | undefined): boolean =>
  (asked ?? 'document' in globalThis) && typeof BroadcastChannel === 'function' && locksHere() !== undefined

/** The leading tab's connection follows the rooms. Every tab is a guest of the hub, the leading tab too. */
export const createShared = (options: UpstreamOptions): Link => {
  const { tokens, page, random } = options
  const locks = locksHere()
  const closing = new AbortController()
  const waiting = new Set<() => void>()
  let link: Link | undefined
  let leave = () => {}
  let changedAt: number | undefined

  const use = (next: Link | undefined) => {
    if (link !== next) link?.close()
    link = next
    if (next || closing.signal.aborted) for (const done of [...waiting]) done()
  }

  /** A page may publish before its identity is known. */
  const linked = async (): Promise<Link | undefined> => {
    if (link || closing.signal.aborted) return link
    await soon(waiting, LINK_MS)
    return link
  }

  /** Uses a connection of this tab's own. */
  const alone = () => {
    if (closing.signal.aborted) return
    const upstream = createUpstream(options)
    for (const room of options.rooms()) upstream.join(room)
    use(upstream)
  }

  const meet = async (name: string, known: Known, locks: Locks) => {
    const meeting = new AbortController()
    const tab = drawKey()
    let hub: Hub | undefined
    let guest: Guest | undefined
    let unlisten = () => {}
    let looking: ReturnType<typeof setTimeout> | undefined

    const leaveHub = () => {
      clearTimeout(looking)
      const was = guest
      guest = undefined
      if (!was) return
      // Leave first: a hub that stays for other tabs must know which rooms are left.
      use(undefined)
      if (!closing.signal.aborted) was.lose()
    }

    const part = (other = false) => {
      meeting.abort()
      unlisten()
      hub?.close(other)
      hub = undefined
      leaveHub()
      election.close()
    }
    leave = part

    /** The identity may have changed: starts again. */
    const again = () => {
      if (meeting.signal.aborted) return
      part(true)
      void begin(known.identity)
    }

    /** Leaves the shared connection to the others, and uses one of this tab's own. */
    const unfit = () => {
      if (!election.leads) part()
      leaveHub()
      alone()
    }

    /**
     * Checks the identity. A tab that only listens would not notice that its token has ended or changed its
     * person.
     */
    const look = async () => {
      const given = await tokens.get()
      if (!guest) return
      if (given.ok && identityOf(given.value) !== known.identity) return again()
      lookAt(given.ok ? given.value : undefined)
    }
    const lookAt = (token: string | undefined) => {
      clearTimeout(looking)
      const { exp } = decodeClaims(token) ?? {}
      const ms = exp ? exp * 1_000 - Date.now() - AHEAD_MS : token ? LONGEST_MS : 0
      looking = setTimeout(() => void look(), Math.min(Math.max(ms, AHEAD_MS), LONGEST_MS))
    }

    const election = createElection({
      locks,
      name,
      onLead: () => {
        const id = { id: drawKey(), term: Math.max((guest?.term ?? 0) + 1, Date.now()) }
        hub = createHub({ ...options, tokens: tokensOf(tokens, known, again), name, hub: id, locks })
      },
      onLost: () => {
        hub?.close()
        hub = undefined
      },
      onImpossible: () => {
        part()
        alone()
      },
    })

    try {
      await hold(locks, tabLock(name, tab), meeting.signal)
    } catch {
      if (!meeting.signal.aborted) alone()
      return
    }
    if (meeting.signal.aborted) return
    guest = createGuest({
      ...options,
      name,
      tab,
      leads: () => election.leads,
      onUseless: election.take,
      onOther: again,
      onUnfit: unfit,
    })
    use(guest)
    lookAt(known.first.value)
    // A page that is left may be cached with its lock and its connection. Then others would see a person as
    // present who has left.
    unlisten = onPageHide(() => {
      const isGuest = guest !== undefined
      part()
      if (isGuest) leave = onPageReturn(() => void begin())
    })
    election.stand()
  }

  /** @param before  the identity so far, if it may have changed */
  const begin = async (before?: string) => {
    const { signal } = closing
    for (let attempt = 0; !signal.aborted; attempt++) {
      options.onState(page.online ? 'connecting' : 'offline')
      const askedAt = now()
      const first = await tokens.get()
      if (signal.aborted) return
      if (first.ok) {
        const identity = identityOf(first.value)
        const { origin, doors, transports } = options
        if (!identity || !locks || transports.some((each) => typeof each !== 'string')) return alone()
        if (before !== undefined && before !== identity) {
          const last = changedAt
          changedAt = now()
          if (last !== undefined && changedAt - last < CHANGES_MS) return alone()
        }
        const name = `saoma:live:${WORDS}:${origin}:${doors}:${transports}:${identity}`
        return meet(name, { identity, first, askedAt }, locks)
      }
      options.onFailure(first)
      const waking = new AbortController()
      const bound = boundBy([signal, waking.signal])
      const unlisten = page.onChange(() => waking.abort())
      await pause(backoffMs(attempt, RETRY, random), bound.signal)
      unlisten()
      bound.release()
    }
  }

  void begin()

  return {
    join: (room) => link?.join(room),
    leave: (room) => link?.leave(room),
    publish: async (publication) => (await linked())?.publish(publication) ?? early(),
    presence: async (channel) => (await linked())?.presence(channel) ?? early(),
    markRead: async (channel, offset) => (await linked())?.markRead(channel, offset) ?? early(),
    close: () => {
      closing.abort()
      leave()
      link?.close()
      use(undefined)
    },
  }
}

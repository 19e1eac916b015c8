import type { Channels, PersonEnd } from '@saoma/channels'
import { type EndNotice, ok, type Result } from '@saoma/protocol'
import { type Away, type Cause, RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import type { Backend, Person, Principal, StillValid } from './principal.ts'

/** The part of the API keys that concerns their removal. */
export interface KeyRing {
  /** Whether this key still exists with the channels it was authenticated with. */
  isKnown(who: Backend): boolean
  /** Calls `listener` after every change of the keys. Returns the function that unsubscribes it. */
  onChange(listener: () => void): () => void
}

export interface RevocationWatchDeps {
  channels: Channels
  keyRing: KeyRing
  stillValid: StillValid
  subscriber: Subscriber
  /** The subscriber of the sessions' Redis, if the channels have a Redis of their own. */
  loginsSubscriber?: Subscriber
  log: Logger
}

/** Watches connected principals for revocation: people by their session, backends by their key. */
export interface RevocationWatch {
  /**
   * Calls `onEnded` once, with what its client is told, when the session ends on any node or the API key is
   * removed. After subscribing it
   * looks the session or key up once more, so that no end is missed: if it is over, the result is REVOKED.
   * Rejects with RedisUnavailable.
   */
  watch(who: Principal, onEnded: (notice: EndNotice) => void): Promise<Result<{ close(): void }>>
  close(): void
}

/** Sessions that are looked up at the same time after Redis came back. */
const BATCH = 100
/** When the lookup is retried if Redis failed once more. */
const AGAIN_MS = 2_000

/** Whether messages may have been lost. Moving a slot loses none. */
const isLoss = (cause: Cause): boolean => cause === 'lost' || cause === 'probe' || cause === 'suspect'

type End = (notice: EndNotice) => void

/** What is told where nothing more is known. */
const REVOKED: EndNotice = { code: 'REVOKED' }

/** Whether the end of some sessions of a person is that of this one. */
const concerns = ({ sid, keep }: PersonEnd, who: Person): boolean =>
  sid === undefined ? keep === undefined || who.sid !== keep : who.sid === sid

export const createRevocationWatch = (deps: RevocationWatchDeps): RevocationWatch => {
  const { channels, keyRing, stillValid, subscriber, loginsSubscriber, log } = deps
  /**
   * Watched people, by the function that ends the watch. Redis publishes their ends; one published while this
   * node was not subscribed may have been missed.
   */
  const people = new Map<End, Person>()
  /** The watches in `people` that have to be looked up. */
  const due = new Set<End>()
  let again: NodeJS.Timeout | undefined

  const lookUp = async (end: End): Promise<void> => {
    const who = people.get(end)
    if (who && !(await stillValid(who)).ok) end(REVOKED)
    due.delete(end)
  }

  const verify = async (): Promise<void> => {
    clearTimeout(again)
    const all = [...due]
    try {
      for (let i = 0; i < all.length; i += BATCH) await Promise.all(all.slice(i, i + BATCH).map(lookUp))
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) log.error({ err: error }, 'sessions could not be looked up')
      again = setTimeout(() => void verify(), AGAIN_MS * (0.5 + Math.random())).unref()
    }
  }
  const doubt = (isDoubted: (who: Person) => boolean): void => {
    const before = due.size
    for (const [end, who] of people) if (isDoubted(who)) due.add(end)
    if (due.size > before) void verify()
  }
  const onResubscribed = (away: Away) => doubt(({ user }) => away.has(channels.heardOn(user)))
  /** The sessions' Redis publishes no ends, but it may have come back without its sessions. */
  const onLoginsBack = (away: Away) => {
    if ([...away.values()].some(isLoss)) doubt(() => true)
  }
  subscriber.on('resubscribed', onResubscribed)
  loginsSubscriber?.on('resubscribed', onLoginsBack)

  /** Adds the last session end as it is when the watch begins. A later end is recognized by comparison. */
  const marked = async (who: Person): Promise<Person> =>
    who.issuer === 'business' ? who : { ...who, lastEnd: await channels.lastEnd(who.user, who.sid) }

  const watchPerson = async (who: Person, end: End) => {
    const told = await channels.watchEnds(who.user, (_, ended) => {
      const { code = 'REVOKED', reason } = ended
      if (concerns(ended, who)) end({ code, ...(reason === undefined ? {} : { reason }) })
    })
    try {
      people.set(end, await marked(who))
    } catch (error) {
      told.close()
      throw error
    }
    return () => {
      people.delete(end)
      told.close()
    }
  }
  const watchKey = (who: Backend, end: End) =>
    keyRing.onChange(() => {
      if (!keyRing.isKnown(who)) end(REVOKED)
    })

  return {
    watch: async (who, onEnded) => {
      let open = true
      const end = (notice: EndNotice) => {
        if (!open) return
        close()
        onEnded(notice)
      }
      let unwatch = () => {}
      const close = () => {
        open = false
        unwatch()
      }
      unwatch = who.kind === 'person' ? await watchPerson(who, end) : watchKey(who, end)
      try {
        const valid = await stillValid(who)
        if (valid.ok) return ok({ close })
        close()
        return valid
      } catch (error) {
        close()
        throw error
      }
    },

    close: () => {
      clearTimeout(again)
      subscriber.off('resubscribed', onResubscribed)
      loginsSubscriber?.off('resubscribed', onLoginsBack)
    },
  }
}

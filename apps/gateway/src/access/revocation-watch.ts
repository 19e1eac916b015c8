import type { Channels } from '@saoma/channels'
import { ok, type Result } from '@saoma/protocol'
import { type Away, type Cause, RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import type { Backend, Person, Principal, StillValid } from './principal.ts'

/** The part of the API keys that is about their end. */
export interface KeyRing {
  /** Whether this name still has the channels it was authenticated with. */
  isKnown(who: Backend): boolean
  /** Calls back after every change of the keys; returns the end of that. */
  onChange(listener: () => void): () => void
}

export interface RevocationWatchDeps {
  channels: Channels
  keyRing: KeyRing
  stillValid: StillValid
  subscriber: Subscriber
  /** That of the sessions, where it is another Redis. */
  loginsSubscriber?: Subscriber
  log: Logger
}

/** Watches over those who stay: people by their sessions, backends by their keys. */
export interface RevocationWatch {
  /**
   * `onEnded` is called once when the session has ended on any node, or the API key was taken away. It is
   * looked up once more when no end can be missed any longer: REVOKED then. Rejects with RedisUnavailable.
   */
  watch(who: Principal, onEnded: () => void): Promise<Result<{ close(): void }>>
  close(): void
}

/** Looked up together after Redis came back. */
const BATCH = 100
/** When they are looked up again if Redis went away once more. */
const AGAIN_MS = 2_000

/** A slot that moved loses nothing. */
const isLoss = (cause: Cause): boolean => cause === 'lost' || cause === 'probe' || cause === 'suspect'

export const createRevocationWatch = (deps: RevocationWatchDeps): RevocationWatch => {
  const { channels, keyRing, stillValid, subscriber, loginsSubscriber, log } = deps
  /** Those whose end is told over Redis, and may have been told while nobody could hear. */
  const people = new Map<() => void, Person>()
  /** Those of them who are to be looked up. */
  const due = new Set<() => void>()
  let again: NodeJS.Timeout | undefined

  const lookUp = async (end: () => void): Promise<void> => {
    const who = people.get(end)
    if (who && !(await stillValid(who)).ok) end()
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
  /** It tells of no ends; but where the sessions are was away, and it may have come back without them. */
  const onLoginsBack = (away: Away) => {
    if ([...away.values()].some(isLoss)) doubt(() => true)
  }
  subscriber.on('resubscribed', onResubscribed)
  loginsSubscriber?.on('resubscribed', onLoginsBack)

  /** With the last end there was when somebody began to watch over them, by which a later one is known. */
  const marked = async (who: Person): Promise<Person> =>
    who.issuer === 'business' ? who : { ...who, lastEnd: await channels.lastEnd(who.user, who.sid) }

  const watchPerson = async (who: Person, end: () => void) => {
    const told = await channels.watchEnds(who.user, (sid) => {
      if (sid === undefined || sid === who.sid) end()
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
  const watchKey = (who: Backend, end: () => void) =>
    keyRing.onChange(() => {
      if (!keyRing.isKnown(who)) end()
    })

  return {
    watch: async (who, onEnded) => {
      let open = true
      const end = () => {
        if (!open) return
        close()
        onEnded()
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

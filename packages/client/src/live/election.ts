export type Locks = Pick<LockManager, 'request'>

export interface ElectionOptions {
  locks: Locks
  name: string
  /** This tab leads from now on. */
  onLead: () => void
  /** It leads no longer: another tab took it over. */
  onLost: () => void
  /** Locks cannot be had here at all: a page in a sandbox, for one. */
  onImpossible: () => void
}

/**
 * Who of several tabs leads: the one that holds a lock. When its tab goes, the browser gives the lock to the
 * next that stands.
 */
export interface Election {
  readonly leads: boolean
  /** Waits for its turn. */
  stand(): void
  /** Takes the lead now, from a tab that does not answer. */
  take(): void
  /** Neither leads nor stands any more. */
  close(): void
}

/** One wish for the lock; `release` is there while it is held. */
interface Wish {
  release?: () => void
}

export const createElection = ({ locks, name, onLead, onLost, onImpossible }: ElectionOptions): Election => {
  let waiting: AbortController | undefined
  /** The wish that was granted. */
  let held: Wish | undefined
  let closed = false

  const request = async (options: LockOptions) => {
    const wish: Wish = {}
    const lead = () =>
      new Promise<void>((resolve) => {
        if (closed || held) return resolve()
        waiting = undefined
        wish.release = resolve
        held = wish
        onLead()
      })
    try {
      await locks.request(name, options, lead)
    } catch {
      if (closed) return
      if (held === wish) {
        held = undefined
        onLost()
        stand()
      } else if (!wish.release && !options.signal?.aborted) {
        onImpossible()
      }
    }
  }

  const stand = () => {
    if (closed || held || waiting) return
    waiting = new AbortController()
    void request({ signal: waiting.signal })
  }

  const withdraw = () => {
    waiting?.abort()
    waiting = undefined
  }

  return {
    get leads() {
      return held !== undefined
    },
    stand,
    take: () => {
      if (closed || held) return
      withdraw()
      void request({ steal: true })
    },
    close: () => {
      closed = true
      withdraw()
      held?.release?.()
      held = undefined
    },
  }
}

/** Holds a lock of this name until `signal` fires; resolves when it is held. */
export const hold = (locks: Locks, name: string, signal: AbortSignal): Promise<void> =>
  new Promise((held, refused) => {
    const until = () =>
      new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve())
        held()
      })
    locks.request(name, { signal }, until).catch(refused)
  })

/** Calls back when nobody holds this lock any more: the tab that held it is gone. */
export const whenFree = (locks: Locks, name: string, signal: AbortSignal, listener: () => void): void => {
  locks.request(name, { signal }, listener).catch(() => {}) // Not waited for any longer.
}

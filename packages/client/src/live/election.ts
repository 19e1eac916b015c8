export type Locks = Pick<LockManager, 'request'>

export interface ElectionOptions {
  locks: Locks
  name: string
  /** This tab becomes the leader. */
  onLead: () => void
  /** This tab is no longer the leader: another tab took over. */
  onLost: () => void
  /** Locks are not available, for example in a sandboxed page. */
  onImpossible: () => void
}

/**
 * Leader election between tabs: the leader holds a lock. When its tab closes, the browser gives the lock to
 * the next candidate.
 */
export interface Election {
  readonly leads: boolean
  /** Becomes a candidate and waits for the lock. */
  stand(): void
  /** Takes the lock now, from a leader that does not answer. */
  take(): void
  /** Stops leading, and is no longer a candidate. */
  close(): void
}

/** One request for the lock. `release` is set while it is held. */
interface Wish {
  release?: () => void
}

export const createElection = ({ locks, name, onLead, onLost, onImpossible }: ElectionOptions): Election => {
  let waiting: AbortController | undefined
  /** The request that was granted. */
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

/** Holds a lock of this name until `signal` is aborted. Resolves once it is held. */
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

/** Calls back when the lock is free: the tab that held it is gone. */
export const whenFree = (locks: Locks, name: string, signal: AbortSignal, listener: () => void): void => {
  locks.request(name, { signal }, listener).catch(() => {}) // Aborted: nobody waits any longer.
}

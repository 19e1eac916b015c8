import type { Principal } from './principal.ts'

/**
 * Counts what each person and each API key holds of something on this node, so that none of them takes all of
 * it.
 */
export interface ConcurrencyQuota {
  /**
   * Takes one more place, to be given back by calling what is returned (safe twice); `undefined` when they
   * have as many as they may.
   */
  enter(who: Principal): (() => void) | undefined
}

/** @param most  places of one person and of one API key */
export const createConcurrencyQuota = (most: { person: number; backend: number }): ConcurrencyQuota => {
  const taken = new Map<string, number>()
  return {
    enter: (who) => {
      const name = who.kind === 'person' ? `${who.issuer} ${who.user}` : `key ${who.name}`
      const places = taken.get(name) ?? 0
      if (places >= most[who.kind]) return undefined
      taken.set(name, places + 1)
      let inside = true
      return () => {
        if (!inside) return
        inside = false
        const left = (taken.get(name) ?? 1) - 1
        if (left === 0) taken.delete(name)
        else taken.set(name, left)
      }
    },
  }
}

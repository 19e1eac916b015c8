import type { Principal } from './principal.ts'

/**
 * Limits how many slots of something one person or one API key holds on
 * this node, so that none of them takes all of them.
 */
export interface ConcurrencyQuota {
  /**
   * Takes one slot. Returns the function that releases it
   * (idempotent), or `undefined` if the quota is used up.
   */
  enter(who: Principal): (() => void) | undefined
}

/** @param most  slots of one person and of one API key */
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

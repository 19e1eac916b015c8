import type { Audit } from '@saoma/audit'
import type { Authenticate } from './principal.ts'
import type { Uses } from './uses.ts'

/** Keys that this node remembers as used, above which it forgets all: more than there are at once. */
const MOST_USED = 10_000

/**
 * Notes the first use of each API key in the audit, and each use among its times.
 *
 * @param keepMs  for so long it counts as used before
 */
export const noteKeyUse = (
  authenticate: Authenticate,
  { note }: Pick<Audit, 'note'>,
  keepMs: number,
  uses?: Pick<Uses, 'mark'>,
): Authenticate => {
  // Another node, or this one before its restart, may have noted the use.
  const used = new Set<string>()
  return async (token, from, proof) => {
    const who = await authenticate(token, from, proof)
    if (!who.ok || who.value.kind !== 'backend') return who
    uses?.mark(who.value.id)
    const { name, id } = who.value
    // A key of the file counts by its name, one of Redis by its id: it may be made again under the same name.
    const which = id === undefined || id.startsWith('file-') ? name : `${name}.${id}`
    if (!used.has(which)) {
      if (used.size >= MOST_USED) used.clear()
      used.add(which)
      const once = { name: `key.used.${which}`, ms: keepMs }
      note({ kind: 'key.used', key: name, by: 'backend', ...(from ? { ip: from } : {}) }, { once })
    }
    return who
  }
}

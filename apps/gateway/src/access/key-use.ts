import type { Audit } from '@saoma/audit'
import type { Authenticate } from './principal.ts'

/** Notes the first use of each API key. @param keepMs  for so long it counts as used before */
export const noteKeyUse = (authenticate: Authenticate, { note }: Pick<Audit, 'note'>, keepMs: number): Authenticate => {
  // Bounded by the list of keys. Another node, or this one before its restart, may have noted the use.
  const used = new Set<string>()
  return async (token, from) => {
    const who = await authenticate(token, from)
    if (!who.ok || who.value.kind !== 'backend') return who
    const { name } = who.value
    if (!used.has(name)) {
      used.add(name)
      const once = { name: `key.used.${name}`, ms: keepMs }
      note({ kind: 'key.used', key: name, by: 'backend', ...(from ? { ip: from } : {}) }, { once })
    }
    return who
  }
}

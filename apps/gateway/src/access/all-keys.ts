import type { ApiKeys } from './api-keys.ts'
import type { HeldKeys } from './held-keys.ts'

/**
 * The keys of the file and those of Redis as one. The file comes first. A key that is in one of them costs
 * one hash, unless both have its name.
 */
export const joinKeys = (
  file: ApiKeys,
  held: Pick<HeldKeys, 'find' | 'isKnown' | 'onChange'>,
): Pick<ApiKeys, 'find' | 'isKnown' | 'onChange'> => ({
  find: (key) => file.find(key) ?? held.find(key),
  isKnown: (who) => file.isKnown(who) || held.isKnown(who),
  onChange: (listener) => {
    const stops = [file.onChange(listener), held.onChange(listener)]
    return () => {
      for (const stop of stops) stop()
    }
  },
})

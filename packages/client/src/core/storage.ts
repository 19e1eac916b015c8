/** The part of the browser's `Storage` that is used here; bring your own to keep things elsewhere. */
export type KeyValue = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

export const createMemoryStorage = (): KeyValue => {
  const values = new Map<string, string>()
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  }
}

/**
 * The browser's storage, or one that lasts as long as the page where there is none or where it is forbidden.
 * Outside of a page each call gives one of its own: Node 26 has a `sessionStorage` too, which is the whole
 * process's, and two logins would show one code.
 */
export const browserStorage = (kind: 'sessionStorage' | 'localStorage'): KeyValue => {
  if (!('document' in globalThis)) return createMemoryStorage()
  try {
    const storage = (globalThis as { sessionStorage?: Storage; localStorage?: Storage })[kind]
    if (!storage) return createMemoryStorage()
    storage.getItem('') // Reading is what a browser with storage turned off refuses.
    return storage
  } catch {
    return createMemoryStorage()
  }
}

/**
 * A JSON value under one key. What cannot be read back is as good as absent. When the storage is full or
 * blocked, the value lasts as long as the page, or until another page writes the key.
 */
export const createStored = (storage: KeyValue, key: string) => {
  let text: string | null = null
  /**
   * What the storage held when `text` became the value: anything else there is another page's word, and
   * newer.
   */
  let seen: string | null = null

  const look = (): string | null => {
    try {
      return storage.getItem(key)
    } catch {
      return seen // Blocked: it has no news for us.
    }
  }

  const discard = () => {
    try {
      storage.removeItem(key)
      seen = null
    } catch {
      seen = look()
    }
  }

  return {
    key,
    read: (): unknown => {
      const now = look()
      if (now !== seen) {
        text = now
        seen = now
      }
      try {
        return JSON.parse(text ?? 'null')
      } catch {
        return null
      }
    },
    write: (value: unknown): void => {
      text = JSON.stringify(value)
      try {
        storage.setItem(key, text)
        seen = text
      } catch {
        discard() // The value before is outdated, and another page would take it for the current one.
      }
    },
    clear: (): void => {
      text = null
      discard()
    },
  }
}

/** A key that nobody else on this page uses. */
export interface Place {
  readonly key: string
  free(): void
}

const taken = new WeakMap<KeyValue, Set<string>>()

/**
 * The first free one of `name`, `name:2`, `name:3` …: what takes them in the same order after a reload finds
 * its own again.
 */
export const takePlace = (storage: KeyValue, name: string): Place => {
  const keys = taken.get(storage) ?? new Set()
  taken.set(storage, keys)
  let key = name
  for (let n = 2; keys.has(key); n++) key = `${name}:${n}`
  keys.add(key)
  return { key, free: () => void keys.delete(key) }
}

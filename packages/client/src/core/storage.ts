/** The part of the browser's `Storage` that is used here. Pass your own to store values elsewhere. */
export type KeyValue = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/**
 * A storage that lives as long as the page: nothing is stored on the device, and a reload forgets all.
 *
 * @example
 * ```ts
 * import { createMemoryStorage, createSession } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin, storage: createMemoryStorage() })
 * console.log(session.tokens) // -> undefined
 * ```
 */
export const createMemoryStorage = (): KeyValue => {
  const values = new Map<string, string>()
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  }
}

/**
 * The browser's storage. Where it is missing or forbidden, one in memory that lives as long as the page.
 * Outside a page each call returns a new one: Node 26 has a `sessionStorage` too, but it is shared by the
 * whole process, and two logins would show one code.
 */
export const browserStorage = (kind: 'sessionStorage' | 'localStorage'): KeyValue => {
  if (!('document' in globalThis)) return createMemoryStorage()
  try {
    const storage = (globalThis as { sessionStorage?: Storage; localStorage?: Storage })[kind]
    if (!storage) return createMemoryStorage()
    storage.getItem('') // A browser with storage turned off refuses to read.
    return storage
  } catch {
    return createMemoryStorage()
  }
}

/**
 * A JSON value under one key. An unreadable value counts as absent. If the storage is full or blocked, the
 * value lives as long as the page, or until another page writes the key.
 */
export const createStored = (storage: KeyValue, key: string) => {
  let text: string | null = null
  /**
   * The storage's content when `text` became the value. Any other content was written later by another page.
   */
  let seen: string | null = null

  const look = (): string | null => {
    try {
      return storage.getItem(key)
    } catch {
      return seen // Blocked: the storage has nothing newer.
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
        discard() // The old value is outdated. Another page would take it for the current one.
      }
    },
    clear: (): void => {
      text = null
      discard()
    },
  }
}

/** A key that nothing else on this page uses. */
export interface Place {
  readonly key: string
  free(): void
}

const taken = new WeakMap<KeyValue, Set<string>>()

/**
 * Takes the first free one of `name`, `name:2`, `name:3` … After a reload, callers that take them in the same
 * order get the same keys.
 */
export const takePlace = (storage: KeyValue, name: string): Place => {
  const keys = taken.get(storage) ?? new Set()
  taken.set(storage, keys)
  let key = name
  for (let n = 2; keys.has(key); n++) key = `${name}:${n}`
  keys.add(key)
  return { key, free: () => void keys.delete(key) }
}

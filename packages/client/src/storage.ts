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

/** The browser's storage, or one that lasts as long as the page where there is none or where it is forbidden. */
export const browserStorage = (kind: 'sessionStorage' | 'localStorage'): KeyValue => {
  try {
    const storage = (globalThis as { sessionStorage?: Storage; localStorage?: Storage })[kind]
    if (!storage) return createMemoryStorage()
    storage.getItem('') // Reading is what a browser with storage turned off refuses.
    return storage
  } catch {
    return createMemoryStorage()
  }
}

/** A JSON value under one key. What cannot be read back is as good as absent; a full storage loses the value, not the login. */
export const createStored = (storage: KeyValue, key: string) => ({
  key,
  read: (): unknown => {
    try {
      return JSON.parse(storage.getItem(key) ?? 'null')
    } catch {
      return null
    }
  },
  write: (value: unknown): void => {
    try {
      storage.setItem(key, JSON.stringify(value))
    } catch {
      // The quota is used up: the page still works until it is closed.
    }
  },
  clear: (): void => {
    storage.removeItem(key)
  },
})

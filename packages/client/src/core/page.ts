/** What the surroundings tell a login: whether anybody can see it, and whether there is a network. */
export interface Page {
  readonly hidden: boolean
  readonly online: boolean
  /** Calls back when either may have changed; returns the function that ends it. */
  onChange(listener: () => void): () => void
}

/** The browser's page; outside a browser, one that is always seen and always online. */
export const browserPage = (): Page => {
  const { document, navigator } = globalThis as { document?: Document; navigator?: Navigator }
  return {
    get hidden() {
      return document?.hidden ?? false
    },
    get online() {
      return navigator?.onLine ?? true
    },
    onChange: (listener) => {
      if (!document || typeof addEventListener !== 'function') return () => {}
      document.addEventListener('visibilitychange', listener)
      addEventListener('online', listener)
      addEventListener('offline', listener)
      addEventListener('pageshow', listener)
      return () => {
        document.removeEventListener('visibilitychange', listener)
        removeEventListener('online', listener)
        removeEventListener('offline', listener)
        removeEventListener('pageshow', listener)
      }
    },
  }
}

/**
 * Calls back when a browser leaves the page, which it may keep as it is for a return; returns the function
 * that ends it.
 */
export const onPageHide = (listener: () => void): (() => void) => {
  if (typeof document === 'undefined') return () => {}
  addEventListener('pagehide', listener)
  return () => removeEventListener('pagehide', listener)
}

/** A page that was left and is not kept is gone by then. */
const LEFT_MS = 10_000

/**
 * Calls back once when a page that was left is shown again, or when it was not left after all; returns the
 * function that ends it.
 */
export const onPageReturn = (listener: () => void): (() => void) => {
  const end = () => {
    clearTimeout(timer)
    removeEventListener('pageshow', back)
  }
  const back = () => {
    end()
    listener()
  }
  const timer = setTimeout(back, LEFT_MS)
  addEventListener('pageshow', back)
  return end
}

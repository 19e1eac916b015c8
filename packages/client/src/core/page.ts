/** State of the page around a login: whether it is visible, and whether there is a network. */
export interface Page {
  readonly hidden: boolean
  readonly online: boolean
  /** Calls back when either may have changed. Returns the function that unsubscribes. */
  onChange(listener: () => void): () => void
}

/** The browser's page. Outside a browser: a page that is always visible and online. */
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
 * Calls back when a browser leaves the page, which may stay in its cache for a return. Returns the function
 * that unsubscribes.
 */
export const onPageHide = (listener: () => void): (() => void) => {
  if (typeof document === 'undefined') return () => {}
  addEventListener('pagehide', listener)
  return () => removeEventListener('pagehide', listener)
}

/** If a page was left and is not cached, it is gone after this time. */
const LEFT_MS = 10_000

/**
 * Calls back once when a page that was left is shown again, or when it turns out that it was not left.
 * Returns the function that unsubscribes.
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

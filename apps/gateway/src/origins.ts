/** Whether a host is this machine itself. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)

/** Whether a page of this origin may call us. In demo mode the machine's other names for itself count as its own. */
export const createOriginCheck = (own: string, allowed: readonly string[], demo: boolean) => {
  const known = new Set([own, ...allowed])
  const { port, hostname } = new URL(own)
  return (origin: string): boolean => {
    if (known.has(origin)) return true
    if (!demo || !isLoopback(hostname) || !URL.canParse(origin)) return false
    const asking = new URL(origin)
    return isLoopback(asking.hostname) && asking.port === port
  }
}

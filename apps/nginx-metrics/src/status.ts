/** The status that nginx reports at NGINX_PROBE. */
export interface Status {
  /** Client connections by activity; `active` is their total. */
  connections: Record<'active' | 'reading' | 'writing' | 'waiting', number>
  /** Since its start. */
  accepted: number
  handled: number
  /** Maximum of sockets over all workers. */
  most: number
}

const TIMEOUT_MS = 2_000
const STUB = /^Active connections: (\d+) \n.*\n (\d+) (\d+) \d+ \nReading: (\d+) Writing: (\d+) Waiting: (\d+)/

const textOf = async (url: URL): Promise<string> => {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`)
  return answer.text()
}

/** @param url  of `/nginx-status`; `/nginx-limits` is beside it */
export const readStatus = async (url: URL): Promise<Status> => {
  const [stub, limits] = await Promise.all([textOf(url), textOf(new URL('nginx-limits', url))])
  const [active, accepted, handled, reading, writing, waiting] = STUB.exec(stub)?.slice(1).map(Number) ?? []
  const most = Number(/^sockets (\d+)$/m.exec(limits)?.[1])
  if (
    active === undefined ||
    accepted === undefined ||
    handled === undefined ||
    reading === undefined ||
    writing === undefined ||
    waiting === undefined ||
    Number.isNaN(most)
  )
    throw new Error(`${url} is no status of nginx`)
  return { connections: { active, reading, writing, waiting }, accepted, handled, most }
}

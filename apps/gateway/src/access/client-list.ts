import { type Client, type ClientRegistry, pageOrigins } from '@saoma/identity'
import { type ParsedClients, parseClients, type Registration } from './read-clients.ts'
import { type ListText, rereadList } from './reread-list.ts'

export interface ClientList extends ClientRegistry {
  /**
   * Whether pages of this origin may call the token endpoint: those of a public client, which sends people
   * back there.
   */
  hasOrigin(origin: string): boolean
  /** By id. */
  registrations(): ReadonlyMap<string, Registration>
  /** Calls a listener after each change, until the result is called. */
  onChange(listener: () => void): () => void
  close(): void
}

const originsOf = (clients: ReadonlyMap<string, Client>): ReadonlySet<string> =>
  new Set([...clients.values()].flatMap(pageOrigins))

/**
 * The registered applications. The file is read again when it changes. With a mistake in it, those that were
 * read before stay.
 *
 * @param onProblem  called once per change, with the reasons
 */
export const createClientList = (
  source: ListText,
  onProblem: (problems: readonly string[]) => void,
  lookMs?: number,
): ClientList => {
  let present: ParsedClients = parseClients(source.text)
  let origins = originsOf(present.clients)
  const listeners = new Set<() => void>()
  const take = (fresh: ParsedClients): void => {
    present = fresh
    origins = originsOf(fresh.clients)
    for (const listener of [...listeners]) listener()
  }
  const empty = 'it is empty; [] stands for no applications'
  const close = rereadList(source, { parse: parseClients, take, onProblem, empty }, lookMs)
  return {
    find: (id) => present.clients.get(id),
    hasOrigin: (origin) => origins.has(origin),
    registrations: () => present.registrations,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close,
  }
}

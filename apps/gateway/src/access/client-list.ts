import { type Client, type ClientRegistry, pageOrigins } from '@saoma/identity'
import { type ParsedClients, parseClients, type Registration } from './read-clients.ts'
import { rereadFile } from './reread-file.ts'

/**
 * The text of the clients at the start. `file` names its source, if it was read from a file that may change.
 */
export interface ClientText {
  text: string
  file?: string
}

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
  { text, file }: ClientText,
  onProblem: (problems: readonly string[]) => void,
  lookMs?: number,
): ClientList => {
  let present: ParsedClients = parseClients(text)
  let origins = originsOf(present.clients)
  const listeners = new Set<() => void>()
  const take = (changed: string): void => {
    // A file that is being written is empty for a moment.
    if (changed.trim() === '') return onProblem(['it is empty; [] stands for no applications'])
    const fresh = parseClients(changed)
    if (fresh.problems.length > 0) return onProblem(fresh.problems)
    present = fresh
    origins = originsOf(fresh.clients)
    for (const listener of [...listeners]) listener()
  }
  const close = file === undefined ? () => {} : rereadFile(file, take, (reason) => onProblem([reason]), lookMs)
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

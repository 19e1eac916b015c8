import { type Client, type ClientRegistry, pageOrigins } from '@saoma/identity'
import { parseClients } from './read-clients.ts'
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
  let { clients } = parseClients(text)
  let origins = originsOf(clients)
  const take = (changed: string): void => {
    // A file that is being written is empty for a moment.
    if (changed.trim() === '') return onProblem(['it is empty; [] stands for no applications'])
    const fresh = parseClients(changed)
    if (fresh.problems.length > 0) return onProblem(fresh.problems)
    clients = fresh.clients
    origins = originsOf(clients)
  }
  const close = file === undefined ? () => {} : rereadFile(file, take, (reason) => onProblem([reason]), lookMs)
  return { find: (id) => clients.get(id), hasOrigin: (origin) => origins.has(origin), close }
}

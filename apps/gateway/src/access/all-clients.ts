import type { Logger } from '../operate/log.ts'
import type { ClientList } from './client-list.ts'
import type { HeldClients } from './held-clients.ts'

/** All registered applications. */
export interface AllClients extends Pick<ClientList, 'find' | 'hasOrigin' | 'close'> {
  hasEnded(registration: string): Promise<boolean>
}

/**
 * The applications of the file and those of Redis as one. One of the file wins over one of the same id in
 * Redis, which is then as if it were not there. The log says so.
 */
export const joinClients = (file: ClientList, held: HeldClients, log: Pick<Logger, 'warn'>): AllClients => {
  let told = ''
  const look = (): void => {
    const hidden = [...held.ids()].filter((id) => file.find(id) !== undefined).sort()
    if (hidden.join() !== told && hidden.length > 0)
      log.warn({ event: 'clients', hidden }, 'these applications in Redis are in SAOMA_CLIENTS too, which wins')
    told = hidden.join()
  }
  const stops = [file.onChange(look), held.onChange(look)]
  look()
  return {
    find: (id) => file.find(id) ?? held.find(id),
    hasOrigin: (origin) => file.hasOrigin(origin) || held.idsAt(origin).some((id) => file.find(id) === undefined),
    hasEnded: held.hasEnded,
    close: () => {
      for (const stop of stops) stop()
      file.close()
      held.close()
    },
  }
}

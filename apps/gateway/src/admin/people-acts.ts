import type { RedisClients } from '@saoma/redis'
import { type AccountStateDeps, createSetAccountState, type SetAccountState } from './account-state.ts'
import { createDeletePerson, type DeletePerson, type DeletePersonDeps } from './delete-person.ts'
import { createExportPerson, type ExportPerson, type ExportPersonDeps } from './export-person.ts'

export interface PeopleActsDeps extends DeletePersonDeps {
  redis: RedisClients
  channelsRedis?: RedisClients | undefined
  accounts: DeletePersonDeps['accounts'] & AccountStateDeps['accounts'] & ExportPersonDeps['accounts']
  identity: DeletePersonDeps['identity'] & ExportPersonDeps['identity']
  audit: DeletePersonDeps['audit'] & ExportPersonDeps['audit']
}

/** What an operator does with a person, by a route or by a command. */
export interface PeopleActs {
  setAccountState: SetAccountState
  deletePerson: DeletePerson
  exportPerson: ExportPerson
}

export const createPeopleActs = (deps: PeopleActsDeps): PeopleActs => ({
  setAccountState: createSetAccountState(deps),
  deletePerson: createDeletePerson(deps),
  exportPerson: createExportPerson({ ...deps, channelsRedis: deps.channelsRedis ?? deps.redis }),
})

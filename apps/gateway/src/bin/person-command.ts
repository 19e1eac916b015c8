import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { People } from './open-people.ts'
import type { PersonCommand } from './read-accounts-command.ts'

const OPERATOR = { by: 'operator' }

const say = (line: string): boolean => process.stdout.write(`${line}\n`)
const sessionsEnded = (ended: number): string => `${ended} ${ended === 1 ? 'session has' : 'sessions have'} ended.`

/** Runs a command about one person. Resolves with the exit code. */
export const runPersonCommand = async ({ kind, sub, reason }: PersonCommand, people: People): Promise<number> => {
  const nobody = (): number => {
    process.stderr.write(`There is no account ${sub}.\n`)
    return 1
  }
  switch (kind) {
    case 'show': {
      const account = await people.view(sub)
      if (!account) return nobody()
      say(JSON.stringify({ ...account, sessions: await people.sessions(sub) }, undefined, 2))
      return 0
    }
    case 'export': {
      const pieces = await people.exportPerson(sub)
      if (!pieces) return nobody()
      await pipeline(Readable.from(pieces, { objectMode: false }), process.stdout, { end: false })
      return 0
    }
    case 'disable': {
      const set = await people.setAccountState.disable(sub, OPERATOR, reason)
      if (!set) return nobody()
      say(`${sub} is disabled. ${sessionsEnded(set.ended)}`)
      return 0
    }
    case 'enable':
      if (!(await people.setAccountState.enable(sub, OPERATOR))) return nobody()
      say(`${sub} is active. The person has to log in again.`)
      return 0
    case 'delete': {
      const { state, ended } = await people.deletePerson(sub, OPERATOR)
      say(
        state === 'deleted'
          ? `${sub} is deleted. ${sessionsEnded(ended)}`
          : `There was no account ${sub} in the last 90 days. What else was kept under this id is deleted.`,
      )
      return 0
    }
  }
}

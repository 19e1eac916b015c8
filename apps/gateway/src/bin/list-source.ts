import { resolve } from 'node:path'
import { givenIn } from '@saoma/protocol'
import { readSettingFiles } from '../config/setting-files.ts'
import { readGiven } from './given.ts'
import { readKeyFile } from './key-file.ts'

/** The settings that are lists: each is a list itself, or the path of a file. */
type ListSetting = 'SAOMA_API_KEYS' | 'SAOMA_CLIENTS'

/** Where the list of a command is: in a file, or in the setting itself. */
export type ListSource = { file: string } | { text: string }

/**
 * @param from  `file`: the file of the command line, which comes first. `envFiles`: files of settings
 * @throws an error for the user if the setting cannot be read
 */
export const listSourceOf = (
  setting: ListSetting,
  { file, envFiles }: { file?: string; envFiles: readonly string[] },
): ListSource => {
  if (file !== undefined) return { file: resolve(file) }
  const { given, problems } = readSettingFiles(givenIn(readGiven(envFiles)), [setting])
  for (const problem of problems.values()) throw new Error(problem)
  const list = given[setting] ?? ''
  return /^[/.]/.test(list) ? { file: resolve(list) } : { text: list }
}

/** The text of a list. Rejects with an error for the user. */
export const listTextOf = async (source: ListSource): Promise<string> =>
  'file' in source ? readKeyFile(source.file) : source.text

/** Problems, as they follow a colon. */
export const asLines = (problems: readonly string[]): string => problems.map((problem) => `\n  ${problem}`).join('')

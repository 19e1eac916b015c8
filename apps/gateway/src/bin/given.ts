import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

/** The settings of a local cluster, below the current folder. The file exists while the cluster runs. */
const LOCAL = '.saoma/cluster.env'

/** A file of settings that cannot be read. The message is for the person who named it. */
export class UnreadFile extends Error {
  override readonly name = 'UnreadFile'
}

/** The files that `readGiven` reads: those that are named, or that of a local cluster if it is there. */
export const givenFiles = (files: readonly string[]): readonly string[] =>
  files.length > 0 || !existsSync(LOCAL) ? files : [LOCAL]

/** The text of one file. @throws UnreadFile */
export const readGivenText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UnreadFile(`The file of settings ${file} cannot be read (${code}).`, { cause: error })
  }
}

/** The settings in one file. @throws UnreadFile */
export const readGivenFile = (file: string): Record<string, string | undefined> => parseEnv(readGivenText(file))

/**
 * The settings of a command: the environment, and files of lines `NAME=value`. As with Node's own
 * `--env-file`, the environment wins over a file, and a later file over an earlier one. Without files it
 * reads `.saoma/cluster.env` of the current folder, if that is there.
 *
 * @throws UnreadFile
 */
export const readGiven = (files: readonly string[]): Record<string, string | undefined> =>
  Object.assign({}, ...givenFiles(files).map(readGivenFile), process.env)

import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A file that `init` writes. */
export interface NewFile {
  /** Below the folder. */
  path: string
  text: string
  /** @default for everybody to read: containers run as other users */
  mode?: number
  /** Holds secrets or decisions of the operator, so it is never overwritten. */
  keep?: boolean
}

export const SECRET_MODE = 0o600
const MODE = 0o644
const FOLDER_MODE = 0o755

/**
 * Writes the files, and nothing if one of them is there already. Throws an error for the user.
 *
 * @param force  overwrite files, but those to keep
 * @returns the paths that were written, and those that stayed as they were
 */
export const writeFiles = async (
  folder: string,
  files: readonly NewFile[],
  force: boolean,
): Promise<{ written: string[]; kept: string[] }> => {
  const there = files.filter(({ path }) => existsSync(join(folder, path)))
  if (there.length > 0 && !force)
    throw new Error(
      `These files are in ${folder} already:\n${there.map(({ path }) => `  ${path}`).join('\n')}\nNothing was written. Take another folder, or overwrite them with --force${there.some(({ keep }) => keep) ? ` (which leaves ${there.flatMap(({ path, keep }) => (keep ? [path] : [])).join(' and ')} alone)` : ''}.`,
    )
  const kept = there.filter(({ keep }) => keep)
  const fresh = files.filter((file) => !kept.includes(file))
  for (const { path, text, mode = MODE } of fresh) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true, mode: FOLDER_MODE })
    // Beside it first: the secrets in it must never be readable by others, and half a file must not stay.
    await writeFile(`${file}.new`, text, { mode: SECRET_MODE })
    await chmod(`${file}.new`, mode)
    await rename(`${file}.new`, file)
  }
  return { written: fresh.map(({ path }) => path), kept: kept.map(({ path }) => path) }
}

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, link, lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
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
  /** Its first line has MARK. People have such files too: one without the mark is theirs, and stays. */
  marked?: boolean
}

/** What `writeFiles` did, as paths below the folder. */
export interface Written {
  written: string[]
  /** Files to keep, which were there. */
  kept: string[]
  /** Files that `init` would overwrite, but has not written itself. */
  foreign: string[]
}

export const MARK = 'saoma init wrote this file, and with --force writes it again. Without this line it stays.'
export const SECRET_MODE = 0o600
const MODE = 0o644
const FOLDER_MODE = 0o755
/** Such as the bit that gives the group of the folder above to what is made in it. */
const INHERITED = 0o7000
const RANDOM_BYTES = 6

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
const quiet = (): undefined => undefined

/**
 * Makes a folder and those above it. All of the new ones are for everybody to read, whatever the umask says:
 * containers run as other users.
 */
const makeFolder = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder)
    const { mode } = await stat(folder)
    await chmod(folder, (mode & INHERITED) | FOLDER_MODE)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      await makeFolder(dirname(folder))
      return makeFolder(folder)
    }
    if (codeOf(error) !== 'EEXIST') throw error
    const its = await stat(folder).catch(quiet)
    if (!its?.isDirectory()) throw new Error(`${folder} is no folder.`)
  }
}

/**
 * Throws an error for the user if a path is a folder, or leads through something that is none. A link to a
 * folder counts as none: what is written through it would land where nobody looks for it.
 */
const assertPlace = async (folder: string, path: string): Promise<void> => {
  const parts = path.split('/')
  for (const [i] of parts.entries()) {
    const place = join(folder, ...parts.slice(0, i + 1))
    const its = await lstat(place).catch(quiet)
    const isLast = i === parts.length - 1
    if (its && its.isDirectory() === isLast)
      throw new Error(`${place} is ${isLast ? 'a folder' : 'no folder, or a link'}. Nothing was written.`)
  }
}

/** Whether the file is there and `init` has not written it. A link is not ours either. */
const isForeign = async (file: string, { marked = false }: NewFile): Promise<boolean> => {
  if (!marked) return false
  if (!(await lstat(file)).isFile()) return true
  const [first = ''] = (await readFile(file, 'utf8')).split('\n', 1)
  return !first.includes(MARK)
}

/** Gives a file its name, unless that is taken. Resolves with whether it was free. */
const nameIt = async (fresh: string, file: string): Promise<boolean> => {
  try {
    // Renaming would replace what has come meanwhile.
    await link(fresh, file).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') throw error
      // Some file systems have no second names.
      return copyFile(fresh, file, constants.COPYFILE_EXCL)
    })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Writes a file under another name first: secrets must never be readable by others, and half a file must not
 * stay. That name is new, so no link that somebody has put there is followed.
 *
 * @param replace  the file that is there; what comes meanwhile is never replaced
 * @returns whether the file has got its name
 */
const writeNew = async (file: string, { text, mode = MODE }: NewFile, replace: boolean): Promise<boolean> => {
  const fresh = `${file}.${randomBytes(RANDOM_BYTES).toString('hex')}.new`
  const handle = await open(fresh, 'wx', SECRET_MODE)
  try {
    await handle.writeFile(text)
    await handle.chmod(mode)
    await handle.close()
    if (!replace) return await nameIt(fresh, file)
    await rename(fresh, file)
    return true
  } finally {
    await handle.close().catch(quiet)
    await rm(fresh, { force: true })
  }
}

/**
 * Writes the files, and nothing if one of them is there already. Throws an error for the user.
 *
 * @param force  overwrite files, but those to keep and those of other people
 */
export const writeFiles = async (folder: string, files: readonly NewFile[], force: boolean): Promise<Written> => {
  const there: NewFile[] = []
  const foreign: NewFile[] = []
  for (const file of files) {
    await assertPlace(folder, file.path)
    const its = await lstat(join(folder, file.path)).catch(quiet)
    if (!its) continue
    there.push(file)
    if (await isForeign(join(folder, file.path), file)) foreign.push(file)
  }
  const kept = there.filter(({ keep }) => keep)
  const staying = [...kept, ...foreign]
  const pathsOf = (all: readonly NewFile[]): string[] => all.map(({ path }) => path)
  if (there.length > 0 && !force)
    throw new Error(
      `These files are in ${folder} already:\n${pathsOf(there)
        .map((path) => `  ${path}`)
        .join('\n')}\nNothing was written. Take another folder, or overwrite them with --force${
        staying.length > 0 ? ` (which leaves ${pathsOf(staying).join(' and ')} alone)` : ''
      }.`,
    )
  const written: NewFile[] = []
  for (const file of files) {
    if (staying.includes(file)) continue
    const path = join(folder, file.path)
    await makeFolder(dirname(path))
    if (await writeNew(path, file, there.includes(file))) written.push(file)
    else if (force) kept.push(file)
    else
      throw new Error(
        `Another command has just written ${path}. ${
          written.length > 0 ? `Of this one are: ${pathsOf(written).join(', ')}` : 'Nothing was written'
        }.`,
      )
  }
  return { written: pathsOf(written), kept: pathsOf(kept), foreign: pathsOf(foreign) }
}

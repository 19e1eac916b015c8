import { chmod, chown, open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Pause before another command's change is looked for again. */
const PAUSE_MS = 20
/** A change takes milliseconds. Whoever waits longer waits for a command that was killed. */
const PATIENCE_MS = 5_000
/** As many links behind each other as Linux follows. */
const MOST_LINKS = 40

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** The present content; empty if there is no file. */
export const readKeyFile = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw new Error(`${file} cannot be read (${codeOf(error)}).`)
  }
}

/** Why a file cannot be changed here, and what to do instead. */
const unwritable = (file: string, code: string | undefined): Error => {
  if (code === 'ENOENT') return new Error(`The folder of ${file} does not exist.`)
  if (code === 'EROFS' || code === 'EBUSY')
    return new Error(
      `${file} is mounted ${code === 'EROFS' ? 'read-only' : 'alone'} here, so it cannot be replaced. Change the file where it comes from (--file): with compose on the host. In Kubernetes change a copy, and make the Secret from it anew:\n  kubectl -n saoma create secret generic saoma-api-keys --from-file=api-keys --dry-run=client -o yaml | kubectl apply -f -`,
    )
  if (code === 'EACCES' || code === 'EPERM')
    return new Error(`You may not change ${file}. Run the command as the owner of its folder, or as root.`)
  return new Error(`${file} cannot be written (${code}).`)
}

/** The new file. Only one command can have it: that it exists says that a change is under way. */
const take = async (file: string): Promise<Awaited<ReturnType<typeof open>>> => {
  const since = performance.now()
  for (;;) {
    try {
      return await open(`${file}.lock`, 'wx', 0o600)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw unwritable(file, codeOf(error))
      if (performance.now() - since > PATIENCE_MS)
        throw new Error(
          `${file}.lock is there: another command changes the keys, or one was killed. If none runs, remove that file.`,
        )
      await delay(PAUSE_MS)
    }
  }
}

/** Where links lead, also if nothing is there yet: renaming onto a link would replace the link. */
const targetOf = async (path: string, links = 0): Promise<string> => {
  if (links > MOST_LINKS) throw new Error(`${path} is a link that leads to itself.`)
  try {
    return await realpath(path)
  } catch {
    const next = await readlink(path).catch(() => undefined)
    return next === undefined ? path : targetOf(resolve(dirname(path), next), links + 1)
  }
}

/**
 * Mode and owner of the file that is replaced. A node may run as another user, who has to read it still.
 *
 * @returns whether there is such a file
 */
const likeBefore = async (file: string, fresh: string): Promise<boolean> => {
  const before = await stat(file).catch(() => undefined)
  if (!before) return false
  const { mode, uid, gid } = before
  const now = await stat(fresh)
  if (uid !== now.uid || gid !== now.gid)
    await chown(fresh, uid, gid).catch(() => {
      throw new Error(`${file} belongs to user ${uid}, group ${gid}. Run the command as that user, or as root.`)
    })
  await chmod(fresh, mode & 0o7777)
  return true
}

/**
 * Changes the file in one step: readers see the former content or the new one, and of several changes at once
 * none is lost. A file that is not there is created for its owner alone. Throws an error for the user.
 *
 * @param change  gives the new content, or undefined to leave the file alone. What it throws is passed on.
 * @returns whether the file is new
 */
export const changeKeyFile = async (path: string, change: (text: string) => string | undefined): Promise<boolean> => {
  const file = await targetOf(path)
  const fresh = await take(file)
  let isRenamed = false
  try {
    const text = change(await readKeyFile(file))
    if (text === undefined) return false
    await fresh.writeFile(text)
    await fresh.sync()
    const wasThere = await likeBefore(file, `${file}.lock`)
    await rename(`${file}.lock`, file).catch((error: unknown) => {
      throw unwritable(file, codeOf(error))
    })
    isRenamed = true
    return !wasThere
  } finally {
    await fresh.close()
    // After the rename a lock belongs to another command.
    if (!isRenamed) await rm(`${file}.lock`, { force: true })
  }
}

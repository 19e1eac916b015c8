import { open, readFile, rename, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const HEAD = `# The API keys of this cluster, one a line: name, SHA-256 of the key, channels. The nodes look at this file every
# two seconds. The first key is the shop's, and comes back at each start.
`
/** Pause before the change of a command is looked for again, and how often. A change takes milliseconds. */
const PAUSE_MS = 20
const MOST_LOOKS = 250

const hasCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code

const nameOf = (line: string): string => /^\s*([^\s#]*)/.exec(line)?.[1] ?? ''

const textOf = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return HEAD
    throw error
  })

/** The text with the shop's line in front of the others. */
const withShop = (text: string, line: string): string => {
  // A line of the same name is of a former key: `.saoma/api-key` was deleted.
  const others = text.split('\n').filter((other) => nameOf(other) !== nameOf(line))
  const at = others.findIndex((other) => !other.startsWith('#'))
  const place = at < 0 ? others.length : at
  return [...others.slice(0, place), line, ...others.slice(place)].join('\n')
}

/**
 * The new file. That it exists keeps `saoma key` from changing the keys, as that command keeps us from it:
 * both create it, and give it the name of the former one.
 */
const take = async (file: string): Promise<Awaited<ReturnType<typeof open>>> => {
  for (let looks = 1; ; looks += 1) {
    try {
      return await open(`${file}.lock`, 'wx', 0o600)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
      if (looks > MOST_LOOKS)
        throw new Error(
          `${file}.lock is there: a command changes the keys, or one was killed. If none runs, remove that file.`,
        )
      await delay(PAUSE_MS)
    }
  }
}

/**
 * Makes sure that the shop's key is in the file, and leaves the lines of the user as they are. Throws an
 * error for the user.
 *
 * @param line  of the shop's key, as SAOMA_API_KEYS has it
 */
export const keepKeyFile = async (file: string, line: string): Promise<void> => {
  const isIn = (text: string): boolean => text.split('\n').includes(line)
  if (isIn(await textOf(file))) return
  const fresh = await take(file)
  let isRenamed = false
  try {
    const text = await textOf(file)
    if (isIn(text)) return
    await fresh.writeFile(withShop(text, line))
    await rename(`${file}.lock`, file)
    isRenamed = true
  } finally {
    await fresh.close()
    // After the rename a lock belongs to a command.
    if (!isRenamed) await rm(`${file}.lock`, { force: true })
  }
}

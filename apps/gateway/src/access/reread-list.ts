import { readFile, stat } from 'node:fs/promises'
import { every } from '@saoma/redis'

/** The text of a list at the start. `file` names its source, if it was read from a file that may change. */
export interface ListText {
  text: string
  file?: string
}

export interface ListReader<T> {
  parse: (text: string) => T
  /** Gets each list that has no problems. */
  take: (list: T) => void
  /** Called once per change, with the reasons why it was not taken. What was taken before stays. */
  onProblem: (problems: readonly string[]) => void
  /**
   * What is said of an empty file, where another text stands for an empty list. A file that is being written
   * is empty for a moment.
   */
  empty?: string
}

const LOOK_MS = 2_000

const signature = async (path: string): Promise<string> => {
  const { mtimeNs, ctimeNs, size, ino } = await stat(path, { bigint: true })
  return [mtimeNs, ctimeNs, size, ino].join()
}

/**
 * Reads a file again whenever it has changed. It polls the path instead of watching the file: a watch would
 * stay on the old file when a deployment swaps symbolic links.
 *
 * @param take  gets each new content
 * @param onUnread  called once when the file cannot be read, with the reason
 * @returns the function that stops it
 */
const rereadFile = (
  path: string,
  take: (text: string) => void,
  onUnread: (reason: string) => void,
  lookMs = LOOK_MS,
): (() => void) => {
  let seen: string | undefined
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    try {
      const now = await signature(path)
      if (now === seen) return
      const text = await readFile(path, 'utf8')
      // The file was written while we read it. The next poll reads it whole.
      if ((await signature(path)) !== now) return
      seen = now
      take(text)
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error)
      if (seen === reason) return
      seen = reason
      onUnread(`it cannot be read (${reason})`)
    } finally {
      looking = false
    }
  }
  return every(lookMs, () => void look())
}

/**
 * Reads a list again whenever its file has changed.
 *
 * @returns the function that stops it
 */
export const rereadList = <T extends { problems: readonly string[] }>(
  { file }: ListText,
  { parse, take, onProblem, empty }: ListReader<T>,
  lookMs?: number,
): (() => void) => {
  if (file === undefined) return () => {}
  const read = (text: string): void => {
    if (empty !== undefined && text.trim() === '') return onProblem([empty])
    const list = parse(text)
    if (list.problems.length > 0) onProblem(list.problems)
    else take(list)
  }
  return rereadFile(file, read, (reason) => onProblem([reason]), lookMs)
}

import { readFile, stat } from 'node:fs/promises'
import { every } from '@saoma/redis'

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
export const rereadFile = (
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

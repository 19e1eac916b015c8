import { readFile, rename, writeFile } from 'node:fs/promises'

const HEAD = `# The API keys of this cluster, one a line: name, SHA-256 of the key, channels. The nodes look at this file every
# two seconds. The first key is the shop's, and comes back at each start.
`

const nameOf = (line: string): string => /^\s*([^\s#]*)/.exec(line)?.[1] ?? ''

/**
 * Makes sure that the shop's key is in the file, and leaves the lines of the user as they are.
 *
 * @param line  of the shop's key, as SAOMA_API_KEYS has it
 */
export const keepKeyFile = async (file: string, line: string): Promise<void> => {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return HEAD
    throw error
  })
  const lines = text.split('\n')
  if (lines.includes(line)) return
  // A line of the same name is of a former key: `.saoma/api-key` was deleted.
  const others = lines.filter((other) => nameOf(other) !== nameOf(line))
  const at = others.findIndex((other) => !other.startsWith('#'))
  const place = at < 0 ? others.length : at
  const all = [...others.slice(0, place), line, ...others.slice(place)].join('\n')
  // Renamed, so that a node never reads half of it.
  await writeFile(`${file}.new`, all, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

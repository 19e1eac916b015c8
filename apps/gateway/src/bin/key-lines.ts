/*
 * The text of a list of keys, as `parseApiKeys` reads it: each entry is a line, or ends at a semicolon.
 */

const nameOf = (entry: string): string => /^\s*([^\s#]*)/.exec(entry)?.[1] ?? ''

/** With one more line at the end. */
export const withLine = (text: string, line: string): string =>
  `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`

/**
 * Without the entries of that name, and the comments behind them. Everything else stays as it is.
 *
 * @returns undefined if there is none
 */
export const withoutName = (text: string, name: string): string | undefined => {
  // Entries and separators by turns. The last separator is missing.
  const parts = text.split(/(\r?\n|;)/)
  const entries = parts.flatMap((entry, i) => (i % 2 === 0 ? [{ entry, separator: parts[i + 1] ?? '' }] : []))
  const left = entries.filter(({ entry }) => nameOf(entry) !== name)
  if (name === '' || left.length === entries.length) return undefined
  return left.map(({ entry, separator }) => `${entry}${separator}`).join('')
}

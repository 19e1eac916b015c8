import { writeFile } from 'node:fs/promises'

type Settings = Readonly<Record<string, string>>

/** A value must not contain the quotes that it is in. Backslashes and $ mean nothing in the first two. */
const QUOTES = ["'", '`', '"']

const lineOf = ([name, value]: readonly [string, string]): string => {
  const quote = QUOTES.find((one) => !value.includes(one))
  // No such file can hold it. A tool that needs it says that it is missing.
  return quote ? `${name}=${quote}${value}${quote}\n` : `# ${name} has every kind of quote, and cannot be here.\n`
}

/**
 * Writes settings as `--env-file` of Node reads them, to a file for its owner alone.
 */
export const writeEnvFile = async (file: string, settings: Settings): Promise<void> => {
  await writeFile(file, Object.entries(settings).map(lineOf).join(''), { mode: 0o600 })
}

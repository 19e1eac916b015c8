import { readFileSync } from 'node:fs'

type Settings = Readonly<Record<string, string | undefined>>

export interface FromFiles {
  /** All settings, including those that were read from files. */
  given: Settings
  /** Problems by the name of the setting. */
  problems: ReadonlyMap<string, string>
}

const textOf = (path: string): { text: string } | { why: string } => {
  try {
    // `echo` ends the file with a line break that is not part of the value.
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? { why: 'is empty' } : { text }
  } catch (error) {
    return { why: `cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
}

/**
 * `NAME_FILE` names a file that holds `NAME`. Docker and Kubernetes pass secrets to a container in this way.
 * Whoever may inspect a container sees its environment, but not its files.
 */
export const readSettingFiles = (env: Settings, names: readonly string[]): FromFiles => {
  const given: Record<string, string | undefined> = { ...env }
  const problems = new Map<string, string>()
  for (const name of names) {
    const path = env[`${name}_FILE`]
    if (!path) continue
    if (env[name]) {
      problems.set(name, `${name} and ${name}_FILE exclude each other: set one of them`)
      continue
    }
    const read = textOf(path)
    if ('text' in read) given[name] = read.text
    else problems.set(name, `${name}_FILE names a file that ${read.why}: ${path}`)
  }
  return { given, problems }
}

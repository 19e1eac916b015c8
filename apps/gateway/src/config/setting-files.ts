import { readFileSync } from 'node:fs'

type Settings = Readonly<Record<string, string | undefined>>

export interface FromFiles {
  /** The settings, with those in it that stood in files. */
  given: Settings
  /** By the name of the setting. */
  problems: ReadonlyMap<string, string>
}

const textOf = (path: string): { text: string } | { why: string } => {
  try {
    // Whoever writes it with `echo` ends it with a line that is no part of it.
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? { why: 'is empty' } : { text }
  } catch (error) {
    return { why: `cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
}

/**
 * `NAME_FILE` names a file that holds `NAME`: how Docker and Kubernetes give secrets to a container.
 * Environments are seen by whoever may inspect it, files are not.
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

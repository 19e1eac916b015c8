import type { Finding } from './finding.ts'

/** A sentence that some other part made, with a capital letter and a full stop. */
export const sentence = (text: string): string => {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.!?…]$/.test(line) ? '' : '.'}`
}

export const ok = (code: string, says: string): Finding => ({ code, level: 'ok', says })
export const warning = (code: string, says: string, todo: string): Finding => ({ code, level: 'warning', says, todo })
export const error = (code: string, says: string, todo: string): Finding => ({ code, level: 'error', says, todo })
export const skipped = (code: string, says: string, todo: string): Finding => ({ code, level: 'skipped', says, todo })

/** For a check that needs what only settings say. */
export const needsSettings = (what: string): Finding[] => [
  skipped(
    'needs-settings',
    `${what} not looked at: the settings of a node are missing or have problems.`,
    'Give the settings of a node in the environment or with --env-file, and mend what the check of the settings names.',
  ),
]

/** A large number of bytes, for people. */
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`

/** Milliseconds, for people. */
export const time = (ms: number): string => {
  const size = Math.abs(ms)
  if (size < 1) return `${ms.toFixed(2)} ms`
  if (size < 10) return `${ms.toFixed(1)} ms`
  return size < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`
}

import type { Logger } from '../operate/log.ts'
import { Environment } from './environment.ts'

/**
 * Settings of what else runs beside a node and may share its environment: nginx, compose, the shop, the
 * tools.
 */
const ELSEWHERE = [
  'API_KEY',
  'BIND',
  'CONTAINERS',
  'GATEWAYS',
  'NODES',
  'NODE_NAMES',
  'PORT',
  'REDIS_MEMORY',
  'SERVICE',
  'URL',
].map((name) => `SAOMA_${name}`)
/** What Kubernetes tells a pod of each service. */
const OF_SERVICES = /_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/
/** More letters than that are no slip. */
const MOST_LETTERS = 4

/** How many letters have to be put in, taken out or changed (Levenshtein). */
const distance = (a: string, b: string): number => {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const row = [i + 1]
    for (let j = 1; j <= b.length; j++)
      row.push(
        Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1)),
      )
    above = row
  }
  return above[b.length] ?? 0
}

export interface Misspelled {
  name: string
  /** The setting that may be meant. */
  nearest?: string
}

/** Names that look like a setting of ours and are none, each with the setting that is most like it. */
export const misspelled = (env: Readonly<Record<string, string | undefined>>): Misspelled[] => {
  const settings = Object.keys(Environment.entries)
  const known = [...settings, ...settings.map((name) => `${name}_FILE`), ...ELSEWHERE]
  return Object.keys(env)
    .filter((name) => name.startsWith('SAOMA_') && !known.includes(name) && !OF_SERVICES.test(name))
    .map((name) => {
      const [nearest] = known
        .map((setting) => ({ setting, letters: distance(name, setting) }))
        .filter(({ letters }) => letters <= MOST_LETTERS)
        .sort((a, b) => a.letters - b.letters)
      return { name, ...(nearest ? { nearest: nearest.setting } : {}) }
    })
}

/** Names them in the log. */
export const warnOfMisspelled = (
  env: Readonly<Record<string, string | undefined>>,
  log: Pick<Logger, 'warn'>,
): void => {
  for (const { name, nearest } of misspelled(env))
    log.warn({ event: 'settings', name, nearest }, `${name} is no setting${nearest ? `: is ${nearest} meant?` : ''}`)
}

import type { Logger } from '../operate/log.ts'
import { Environment } from './environment.ts'

/** Settings of other programs that may share a node's environment: nginx, compose, the shop, the tools. */
const ELSEWHERE = [
  'API_KEY',
  'BIND',
  'CONTAINERS',
  'GATEWAYS',
  'GATEWAY_LIMIT',
  'GRAFANA_PORT',
  'NGINX_LIMIT',
  'NODES',
  'NODE_NAMES',
  'PORT',
  'PROMETHEUS_PORT',
  'REDIS_LIMIT',
  'REDIS_MEMORY',
  'SERVICE',
  'URL',
].map((name) => `SAOMA_${name}`)
/** Variables that Kubernetes sets in a pod for each service. */
const OF_SERVICES = /_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/
/** A larger distance is not a typing error. */
const MOST_LETTERS = 4

/** The Levenshtein distance: how many letters to insert, delete or replace. */
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
  /** The setting that was probably meant. */
  nearest?: string
}

/** Names that begin like one of our settings but are unknown, each with the most similar setting. */
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

/** Logs a warning for each misspelled setting. */
export const warnOfMisspelled = (
  env: Readonly<Record<string, string | undefined>>,
  log: Pick<Logger, 'warn'>,
): void => {
  for (const { name, nearest } of misspelled(env))
    log.warn(
      { event: 'settings', name, nearest },
      `${name} is not a setting${nearest ? `: did you mean ${nearest}?` : ''}`,
    )
}

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { misspelled } from '../config/misspelled.ts'
import { isLoopback } from '../config/origins.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, warning } from './findings.ts'
import { unclearNames } from './quotes.ts'
import type { Source } from './source.ts'

/** Names that no outside network resolves. */
const LOCAL_NAME = /(^[^.]+|\.(local|internal|lan|home\.arpa|test|localhost))$/

/** Who can reach a host: this machine, its own network, or everybody. */
export const reachOf = (hostname: string): 'machine' | 'network' | 'everybody' => {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isLoopback(host) || host.endsWith('.localhost')) return 'machine'
  if (isIP(host) === 0) return LOCAL_NAME.test(host) ? 'network' : 'everybody'
  return ipaddr.process(host).range() === 'unicast' ? 'everybody' : 'network'
}

const ownValues = (problems: readonly string[]): Finding[] =>
  problems.length === 0
    ? [ok('settings-values', 'A node takes the settings.')]
    : problems.map((problem) =>
        error('settings-values', sentence(problem), 'Change the setting. Until then no node starts with it.'),
      )

const names = (given: Source['given']): Finding[] => {
  const found = misspelled(given)
  if (found.length === 0) return [ok('settings-names', 'Every name that begins with SAOMA_ is a setting.')]
  return found.map(({ name, nearest }) =>
    warning(
      'settings-names',
      `${name} is not a setting, so it has no effect.`,
      nearest ? `Correct the name: ${nearest} may be meant.` : 'Correct the name, or take it away.',
    ),
  )
}

const quotes = ({ files, textOf }: Source): Finding[] =>
  files.map((file) => {
    const unclear = unclearNames(textOf(file))
    return unclear.length > 0
      ? warning(
          'settings-quotes',
          `${unclear.join(', ')} in ${file}: Node, compose and systemd do not read the value alike.`,
          'Write the value between single quotes, or without #, $, quotes and backslashes.',
        )
      : ok('settings-quotes', `Node, compose and systemd read ${file} alike.`)
  })

const demoMode = (isDemo: boolean, origin: URL): Finding => {
  const reach = reachOf(origin.hostname)
  if (!isDemo) return ok('settings-demo', 'Demo mode is off.')
  if (reach === 'machine') return ok('settings-demo', `Demo mode is on, and ${origin.origin} is only this machine.`)
  const says = `Demo mode lets anybody log in as anybody, and ${origin.origin} can be reached by ${reach === 'network' ? 'everybody in its network' : 'everybody'}.`
  return reach === 'network'
    ? warning('settings-demo', says, 'Set SAOMA_DEMO=false for anything but a demonstration.')
    : error('settings-demo', says, 'Set SAOMA_DEMO=false, and WECHAT_APPID and WECHAT_SECRET.')
}

const encryption = ({ protocol, hostname, origin }: URL): Finding => {
  if (protocol === 'https:') return ok('settings-https', `${origin} is https.`)
  if (reachOf(hostname) === 'machine') return ok('settings-https', `${origin} is http, on this machine only.`)
  return warning(
    'settings-https',
    `${origin} is http, so everybody on the way can read tokens.`,
    'Put TLS in front and set SAOMA_ORIGIN to the https origin.',
  )
}

/** Checks the settings themselves, as a node reads them. */
export const createSettingsCheck = (source: Source): Check => ({
  name: 'settings',
  run: async ({ config, origin }: Subject) => {
    const { given, problems, hasSettings } = source
    const address = origin === undefined ? [] : [encryption(new URL(origin))]
    if (!hasSettings) return [...needsSettings('The settings were'), ...address]
    return [
      ...ownValues(problems),
      ...names(given),
      ...quotes(source),
      ...(origin === undefined ? [] : [demoMode(config?.demo ?? given.SAOMA_DEMO === 'true', new URL(origin))]),
      ...address,
    ]
  },
})

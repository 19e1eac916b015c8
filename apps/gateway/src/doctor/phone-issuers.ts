import { readKeySet } from '../access/key-set.ts'
import { readSource } from '../access/key-source.ts'
import { type PhoneIssuer, parsePhoneIssuers } from '../access/read-phone-issuers.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, warning } from './findings.ts'
import { reachOf } from './settings.ts'
import type { Source } from './source.ts'

const lookAt = async ({ name, source, algorithms }: PhoneIssuer, signal: AbortSignal): Promise<Finding[]> => {
  const read = await readSource(source, signal)
  const set = read.ok ? await readKeySet(read.text, algorithms) : read
  if (!set.ok)
    return [
      error(
        'phone-issuers',
        sentence(`No node can verify tokens of the app ${name}: ${set.why}`),
        'Correct SAOMA_PHONE_ISSUERS, or mend what it names. A node that read the keys before goes on with them.',
      ),
    ]
  const { size } = set.value
  const found = ok('phone-issuers', `The app ${name} has ${size} ${size === 1 ? 'key' : 'keys'}.`)
  const { protocol = '', hostname = '' } = ('url' in source && URL.parse(source.url)) || {}
  if (protocol !== 'http:' || reachOf(hostname) !== 'everybody') return [found]
  return [
    found,
    warning(
      'phone-issuers',
      `The keys of the app ${name} come by http, so everybody on the way can put in a key and confirm as anybody.`,
      'Use https, or a file.',
    ),
  ]
}

/** Reads the keys of the business's own apps as a node does. It does not print their addresses. */
export const createPhoneIssuersCheck = ({ given }: Source): Check => ({
  name: 'phones',
  run: async ({ config, signal }: Subject) => {
    if (!given.SAOMA_PHONE_ISSUERS && !given.SAOMA_PHONE_ISSUERS_FILE) return []
    if (!config) return needsSettings('The keys of the own apps were')
    const { issuers } = parsePhoneIssuers(config.phoneIssuers?.text ?? '')
    return (await Promise.all(issuers.map((issuer) => lookAt(issuer, signal)))).flat()
  },
})

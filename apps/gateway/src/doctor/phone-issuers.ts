import { type PhoneIssuer, parsePhoneIssuers } from '../access/read-phone-issuers.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, warning } from './findings.ts'
import { isOpen, readKeys } from './key-sources.ts'
import type { Source } from './source.ts'

const lookAt = async ({ name, source, algorithms }: PhoneIssuer, signal: AbortSignal): Promise<Finding[]> => {
  const set = await readKeys(source, algorithms, signal)
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
  if (!isOpen(source)) return [found]
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

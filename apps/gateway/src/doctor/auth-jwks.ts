import type { KeySource } from '../access/key-source.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, warning } from './findings.ts'
import { isOpen, readKeys } from './key-sources.ts'
import type { Source } from './source.ts'

const plainly = (source: KeySource): Finding[] => {
  if (!isOpen(source)) return []
  return [
    warning(
      'auth-jwks',
      'The keys of SAOMA_AUTH_JWKS come by http, so everybody on the way can put in a key and be anybody.',
      'Use https, or a file.',
    ),
  ]
}

/**
 * Reads the keys of business tokens as a node does. It does not print their address, which may have a secret
 * in its query.
 */
export const createAuthJwksCheck = ({ given }: Source): Check => ({
  name: 'auth',
  run: async ({ config, signal }: Subject) => {
    if (!given.SAOMA_AUTH_JWKS && !given.SAOMA_AUTH_JWKS_FILE) return []
    if (!config) return needsSettings('The keys of business tokens were')
    const { signed } = config.live
    if (!signed) return []
    const set = await readKeys(signed.source, signed.algorithms, signal)
    if (!set.ok)
      return [
        error(
          'auth-jwks',
          sentence(`No node can verify tokens of ${signed.issuer} by SAOMA_AUTH_JWKS: ${set.why}`),
          'Correct SAOMA_AUTH_JWKS, or mend what it names. A node that read the keys before goes on with them.',
        ),
      ]
    const { size, unused } = set.value
    const rest = unused > 0 ? `, and ${unused} that cannot verify` : ''
    return [
      ok(
        'auth-jwks',
        `SAOMA_AUTH_JWKS has ${size} ${size === 1 ? 'key' : 'keys'} for tokens of ${signed.issuer}${rest}.`,
      ),
      ...plainly(signed.source),
    ]
  },
})

import { onCleanup } from '@saoma/testing'
import { signatureAlgorithms } from '../src/access/key-set.ts'
import type { KeySource } from '../src/access/key-source.ts'
import { createSignedTokens, type SignedTokenRules } from '../src/access/signed-tokens.ts'
import { createLog } from '../src/operate/log.ts'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { createClock } from './clock.ts'
import { AUDIENCE, createJwtSigner, ISSUER, type JwtSigner } from './jwt-signer.ts'

/* The verifier of business tokens with keys of its own, as a node opens it. */

export const HOME = '203.0.113.7'
export const unauthorized = { ok: false, code: 'UNAUTHORIZED' }
export const unavailable = { ok: false, code: 'BACKEND_UNAVAILABLE' }
export const DAY = 86_400

export const key: JwtSigner = await createJwtSigner('first')
export const next: JwtSigner = await createJwtSigner('second')

export const publishing = (...signers: JwtSigner[]) => json({ keys: signers.map(({ jwk }) => jwk) })

export const open = (source: KeySource, rules: Partial<SignedTokenRules> = {}) => {
  const clock = createClock()
  const zero = clock.now()
  const from = Date.now()
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info', node: 'test' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const tokens = createSignedTokens(
    source,
    {
      issuer: ISSUER,
      audiences: [AUDIENCE],
      claims: { uid: 'sub', rooms: 'rooms', sid: 'sid' },
      algorithms: signatureAlgorithms,
      ...rules,
    },
    log,
    { now: clock.now, date: () => from + clock.now() - zero },
  )
  onCleanup(tokens.close)
  const resolve = (token: string, lastEnd?: string) => tokens.resolve(token, HOME, lastEnd)
  return { tokens, resolve, clock, lines, refusals: () => lines.filter(({ level }) => level === 'warn') }
}

export const serve = async (answer: BusinessServer['answer'] = publishing(key), rules?: Partial<SignedTokenRules>) => {
  const server = await startBusinessServer(answer)
  return { server, ...open({ url: server.url }, rules) }
}

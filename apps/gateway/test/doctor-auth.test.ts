import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '@saoma/testing'
import { json, startBusinessServer } from './business-server.ts'
import { diagnose, newFolder, SETTINGS } from './diagnosis.ts'
import { AUDIENCE, createJwtSigner, ISSUER } from './jwt-signer.ts'

const look = (jwks: string, env: Record<string, string> = {}) =>
  diagnose(['--json', '--only', 'auth'], {
    ...SETTINGS,
    SAOMA_AUTH_JWKS: jwks,
    SAOMA_AUTH_ISSUER: ISSUER,
    SAOMA_AUTH_AUDIENCE: AUDIENCE,
    ...env,
  })

test('without the setting there is nothing to look at', async () => {
  expect(await diagnose(['--json', '--only', 'auth'], SETTINGS)).toMatchObject({ code: 0, findings: [] })
})

test('keys that can verify are fine, from an address and from a file', async () => {
  const [one, two] = await Promise.all([createJwtSigner('one'), createJwtSigner('two', 'RS256')])
  const set = { keys: [one.jwk, two.jwk, { ...one.jwk, use: 'enc' }] }
  const server = await startBusinessServer(json(set))
  const { code, of, stdout } = await look(`${server.url}?key=secret`)
  expect(code).toBe(0)
  expect(of('auth-jwks')).toEqual([`ok: SAOMA_AUTH_JWKS has 2 keys for tokens of ${ISSUER}, and 1 that cannot verify.`])
  expect(stdout).not.toContain('secret')
  expect(server.questions).toHaveLength(1)

  const file = join(newFolder(), 'jwks.json')
  writeFileSync(file, JSON.stringify(set))
  const env = { SAOMA_AUTH_ALGORITHMS: 'ES256' }
  expect((await look(file, env)).of('auth-jwks')).toEqual([
    `ok: SAOMA_AUTH_JWKS has 1 key for tokens of ${ISSUER}, and 2 that cannot verify.`,
  ])
})

test.each([
  ['no keys', json({ keys: [] }), 'none of its 0 keys is a public key for ES256, .+'],
  ['a page', json('<h1>Welcome</h1>'), 'it is no JWKS: it must be JSON with a list "keys"'],
  ['another status', json({}, 404), 'it answers with status 404'],
])('%s is an error', async (_, answer, why) => {
  const { code, findings } = await look((await startBusinessServer(answer)).url)
  expect(code).toBe(1)
  expect(findings).toEqual([
    expect.objectContaining({
      code: 'auth-jwks',
      level: 'error',
      says: expect.stringMatching(`^No node can verify tokens of ${ISSUER} by SAOMA_AUTH_JWKS: ${why}\\.$`),
      todo: expect.any(String),
      page: expect.stringMatching(/#auth-jwks$/),
    }),
  ])
})

test('an address where nothing listens is an error, and a file that is none has no settings', async () => {
  expect((await look(`http://127.0.0.1:${await freePort()}/`)).of('auth-jwks')).toEqual([
    expect.stringMatching(/: nothing listens there \(ECONNREFUSED\)\.$/),
  ])
  expect((await look('./nowhere.json')).of('needs-settings')).toHaveLength(1)
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { json, startBusinessServer } from './business-server.ts'
import { diagnose, newFolder, SETTINGS } from './diagnosis.ts'
import { createJwtSigner } from './jwt-signer.ts'

const look = (...issuers: Record<string, unknown>[]) =>
  diagnose(['--json', '--only', 'phones'], {
    ...SETTINGS,
    SAOMA_PHONE_ISSUERS: JSON.stringify(
      issuers.map((one) => ({ issuer: `https://${one.name}.example`, audience: 'saoma', ...one })),
    ),
  })

test('the keys of each app are looked at, and no address is printed', async () => {
  expect(await diagnose(['--json', '--only', 'phones'], SETTINGS)).toMatchObject({ code: 0, findings: [] })
  const { jwk } = await createJwtSigner('one')
  const server = await startBusinessServer(json({ keys: [jwk] }))
  const file = join(newFolder(), 'jwks.json')
  writeFileSync(file, JSON.stringify({ keys: [{ ...jwk, use: 'enc' }] }))
  const { code, of, stdout } = await look(
    { name: 'acme', jwks_uri: `${server.url}?key=secret` },
    { name: 'shop', jwks_file: file },
  )
  expect(code).toBe(1)
  expect(of('phone-issuers')).toEqual([
    'ok: The app acme has 1 key.',
    expect.stringMatching(/^error: No node can verify tokens of the app shop: none of its 1 keys is a public key/),
  ])
  expect(stdout).not.toContain('secret')
})

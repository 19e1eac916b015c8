import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { readProof } from '../src/key-proof.ts'

const URL_OF = 'https://login.example.com/v1/sessions'

const prove = async (ageSeconds: number, htu = URL_OF) => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const now = Math.floor(Date.now() / 1_000)
  const jwt = await new SignJWT({ jti: 'one', htm: 'GET', htu, iat: now - ageSeconds })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
    .sign(privateKey)
  return { jwt, now }
}

test.each([-200, 0, 200])('a proof that is %d seconds old is remembered for longer than it is good', async (age) => {
  const { jwt, now } = await prove(age)
  const proven = await readProof({ jwt, method: 'GET', url: URL_OF })
  expect(proven?.id).toBe('one')
  expect(proven?.until).toBeGreaterThan(now - age + 300)
  // The clock goes on between this and the write that remembers it.
  expect(proven?.until).toBeGreaterThan(now + 300)
})

test('an address that is none fits no request, also not one without an address', async () => {
  const { jwt } = await prove(0, 'nowhere')
  for (const url of [URL_OF, 'nowhere']) expect(await readProof({ jwt, method: 'GET', url })).toBeUndefined()
})

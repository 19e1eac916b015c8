import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, onCleanup } from '@saoma/testing'
import { exportJWK } from 'jose'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { upTo } from './fixtures.ts'
import { inSeconds, type JwtSigner } from './jwt-signer.ts'

import { key, next, open, publishing, serve, unauthorized, unavailable } from './open-signed-tokens.ts'

test('a new key is fetched when a token names it, and a key that is gone lets nobody in', async () => {
  const { server, resolve, clock } = await serve()
  const [before, after] = [await key.sign(), await next.sign()]
  expect(await resolve(before)).toMatchObject({ ok: true })
  server.answer = publishing(key, next)
  clock.pass(2_000)
  const all = await Promise.all(upTo(30).map((i) => (i % 2 ? resolve(after) : resolve(before))))
  expect(new Set(all.map(({ ok }) => ok))).toEqual(new Set([true]))
  expect(server.questions).toHaveLength(2)

  server.answer = publishing(next)
  clock.pass(60_000)
  // A stranger's token makes the node look.
  await resolve(await next.sign({}, { kid: 'strange' }))
  expect(server.questions).toHaveLength(3)
  // It was remembered as good.
  expect(await resolve(before)).toEqual(unauthorized)
  expect(await resolve(after)).toMatchObject({ ok: true })
})

test('unknown keys make a node look again and again more rarely, and nobody is refused wrongly meanwhile', async () => {
  const { server, resolve, clock } = await serve()
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  const strange = (i: number) => key.sign({ iat: inSeconds(300), exp: inSeconds(900) }, { kid: `strange ${i}` })
  const fetches = async (): Promise<number> => {
    const before = server.questions.length
    await Promise.all(upTo(40).map(async (i) => resolve(await strange(i))))
    return server.questions.length - before
  }
  const pauses = [2_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
  // The first read was good and new: two seconds later there may be another.
  for (const pause of pauses) {
    clock.pass(pause - 1)
    expect([pause, await fetches()]).toEqual([pause, 0])
    clock.pass(1)
    expect([pause, await fetches()]).toEqual([pause, 1])
  }
  // In the pause nobody knows whether a key has been published since. An older token has none of those.
  clock.pass(1)
  expect(await resolve(await next.sign({ iat: inSeconds(300) }))).toEqual(unavailable)
  expect(await resolve(await next.sign({ iat: inSeconds(-60) }))).toEqual(unauthorized)

  server.answer = publishing(key, next)
  clock.pass(30_000)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  clock.pass(2_000)
  expect(await fetches()).toBe(1)
})

test('while the keys cannot be fetched, known ones stay in use, and tokens of others have to wait', async () => {
  const { server, resolve, clock, refusals } = await serve()
  const [known, unknown] = [await key.sign(), await next.sign()]
  expect(await resolve(known)).toMatchObject({ ok: true })
  server.answer = (res) => res.destroy()
  clock.pass(60_000)
  expect(await resolve(unknown)).toEqual(unavailable)
  expect(await resolve(unknown)).toEqual(unavailable)
  expect(await resolve(known)).toMatchObject({ ok: true })
  expect(await resolve(await key.sign({ sub: 'bert' }))).toMatchObject({ ok: true })
  expect(server.questions).toHaveLength(2)
  expect(refusals()).toEqual([
    expect.objectContaining({
      reason: expect.stringMatching(/^it cannot be read \(\w+\)$/),
      known: 1,
      msg: 'the keys of the business cannot be read: those that are known stay in use',
    }),
  ])
  server.answer = publishing(key, next)
  clock.pass(2_000)
  expect(await resolve(unknown)).toMatchObject({ ok: true })
})

test('without any key nobody is let in or turned away, and the keys are fetched again by themselves', async () => {
  const server = await startBusinessServer(json({}, 503))
  const { resolve } = open({ url: server.url })
  expect(await resolve(await key.sign())).toEqual(unavailable)
  // A token that is wrong in itself is no question of keys.
  expect(await resolve(await key.sign({ iss: 'other' }))).toEqual(unauthorized)
  server.answer = publishing(key)
  await server.asked()
  // The second read has begun. It ends before this one does, which shares it.
  let answer = await resolve(await key.sign())
  while (!answer.ok) answer = await resolve(await key.sign())
  expect(answer).toMatchObject({ value: { user: 'anna' } })
  expect(await open({ url: `http://127.0.0.1:${await freePort()}/` }).resolve(await key.sign())).toEqual(unavailable)
})

const weakKey = async () => exportJWK(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey)

test.each<[what: string, answer: BusinessServer['answer'] | (() => Promise<object>), reason: RegExp]>([
  ['a page', (res: ServerResponse) => res.end('<h1>Welcome</h1>'), /^it is no JWKS/],
  ['no list', json({ keys: {} }), /^it is no JWKS/],
  ['a list of texts', json({ keys: ['a'] }), /^it is no JWKS/],
  ['an empty list', json({ keys: [] }), /^none of its 0 keys is a public key for ES256, /],
  ['more than 256 KB', json({ keys: [], padding: 'x'.repeat(300_000) }), /^it has more than 256 KB$/],
  ['too many keys', json({ keys: upTo(51).map(() => ({ kty: 'EC' })) }), /^it has more than 50 keys$/],
  ['a shared secret', json({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'first' }] }), /^none of its 1 keys/],
  ['keys that are none', json({ keys: [{ kty: 'EC', crv: 'P-256', x: 'A', y: 'B' }, {}] }), /^none of its 2 keys/],
  ['another status', json({ keys: [] }, 404), /^it answers with status 404$/],
  ['a redirect', (res: ServerResponse) => res.writeHead(302, { location: '/elsewhere' }).end(), /status 302$/],
  ['a weak key', async () => ({ keys: [{ ...(await weakKey()), kid: 'first' }] }), /^none of its 1 keys/],
])('nobody is let in or turned away by keys that are %s', async (_, answer, reason) => {
  const given =
    answer.length > 0 ? (answer as BusinessServer['answer']) : json(await (answer as () => Promise<object>)())
  const { resolve, refusals } = await serve(given)
  expect(await resolve(await key.sign())).toEqual(unavailable)
  expect(refusals()).toEqual([expect.objectContaining({ reason: expect.stringMatching(reason), known: 0 })])
})

test('keys that cannot verify do not hinder the others', async () => {
  const forEncryption = { ...next.jwk, use: 'enc' }
  const { resolve, lines } = await serve(json({ keys: [forEncryption, { kty: 'new' }, key.jwk] }))
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  expect(lines).toEqual([expect.objectContaining({ level: 'info', keys: 1, unused: 2 })])
})

test('a key that is nested beyond what can be copied ends nothing', async () => {
  const deep = `{"kty":"EC","x":${'['.repeat(60_000)}${']'.repeat(60_000)}}`
  const { resolve, lines } = await serve((res) => res.end(`{"keys":[${deep},${JSON.stringify(key.jwk)}]}`))
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  expect(lines).toEqual([expect.objectContaining({ keys: 1, unused: 1 })])
})

test('keys may be in a file, which is read again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-keys-'))
  onCleanup(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'jwks.json')
  const write = (...signers: JwtSigner[]) => {
    writeFileSync(`${file}.new`, JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }))
    renameSync(`${file}.new`, file)
  }
  write(key)
  const { resolve, clock } = open({ file })
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  write(key, next)
  clock.pass(2_000)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  rmSync(file)
  clock.pass(60_000)
  expect(await resolve(await key.sign({}, { kid: 'third' }))).toEqual(unavailable)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  expect(await open({ file }).resolve(await key.sign())).toEqual(unavailable)
})

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bitsOf } from '../src/doctor/strength.ts'
import { diagnose, diagnoseBy, newFolder, SETTINGS, writeSettings } from './diagnosis.ts'
import { upTo } from './fixtures.ts'

const strong = () => randomBytes(32).toString('base64')

test('a secret of openssl is fine', async () => {
  const { code, of } = await diagnoseBy('secrets', { SAOMA_SECRET: strong() })
  expect(code).toBe(0)
  expect(of('secret-strength')).toEqual(['ok: SAOMA_SECRET is worth at least 80 bits.'])
})

test('a published secret is an error, but in a demo on this machine', async () => {
  const SAOMA_SECRET = 'a secret that is good for a demo and for nothing else'
  expect((await diagnoseBy('secrets', { SAOMA_SECRET })).of('secret-published')).toEqual([
    'error: SAOMA_SECRET is the published secret of the demo, so everybody knows it.',
  ])
  const local = { SAOMA_SECRET, SAOMA_DEMO: 'true', SAOMA_ORIGIN: 'http://127.0.0.1:8080' }
  expect((await diagnoseBy('secrets', local)).of('secret-published')).toEqual([expect.stringMatching(/^ok: /)])
  expect((await diagnoseBy('secrets', { ...local, SAOMA_ORIGIN: 'https://a.example' })).code).toBe(1)
})

test('weak secrets are named with their bits, and never shown', async () => {
  const env = { SAOMA_SECRET: 'changeme-changeme-changeme-changeme', SAOMA_HOOK_SECRET: 'Q7mz2KvRx9wTg' }
  const { code, stdout, of } = await diagnoseBy('secrets', env)
  expect(code).toBe(1)
  expect(of('secret-strength')).toEqual([
    expect.stringMatching(/^error: SAOMA_SECRET can be guessed: .* some \d\d bits\.$/),
    expect.stringMatching(/^warning: SAOMA_HOOK_SECRET is weak: it is worth some 7\d bits\.$/),
  ])
  expect(stdout).not.toContain('changeme')
})

test('equal secrets are named', async () => {
  const secret = strong()
  const env = { SAOMA_SECRET: secret, SAOMA_PREVIOUS_SECRET: secret, SAOMA_HOOK_SECRET: secret }
  expect((await diagnoseBy('secrets', env)).of('secret-equal')).toEqual([
    'warning: SAOMA_PREVIOUS_SECRET is SAOMA_SECRET, so the secret was not changed.',
    'error: SAOMA_HOOK_SECRET is SAOMA_SECRET, so whoever is given the one has the other too.',
  ])
})

test.each([
  [0o600, 'ok', 0],
  [0o640, 'warning', 0],
  [0o644, 'error', 1],
])('a file of settings with secrets and mode %o: %s', async (mode, level, expected) => {
  const file = writeSettings({ ...SETTINGS, REDIS_URL: 'redis://:pw@127.0.0.1' }, mode)
  const { code, of } = await diagnose(['--json', '--only', 'secrets', '--env-file', file])
  expect(of('secret-file')).toEqual([expect.stringContaining(`${level}: ${file}, with SAOMA_SECRET, REDIS_URL, `)])
  expect(code).toBe(expected)
})

test('a file without secrets may be read by all, and one that a setting names may not', async () => {
  const open = writeSettings({ SAOMA_ORIGIN: 'https://a.example', REDIS_URL: 'redis://127.0.0.1' }, 0o644)
  const secret = join(newFolder(), 'secret')
  writeFileSync(secret, strong(), { mode: 0o644 })
  const { of } = await diagnose(['--json', '--only', 'secrets', '--env-file', open], { SAOMA_SECRET_FILE: secret })
  expect(of('secret-file')).toEqual([
    expect.stringMatching(`^error: ${secret}, with SAOMA_SECRET, can be read by every`),
  ])
  expect(of('secret-strength')).toEqual([expect.stringMatching(/^ok: SAOMA_SECRET /)])
})

test.each([
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  '0123456789012345678901234567890123456789',
  'abcdefghijklmnopqrstuvwxyzabcdefghijklmn',
  'qwertyuiopasdfghjklzxcvbnm1234567890qwer',
  'PasswordPasswordPasswordPassword12345678',
  'abc123abc123abc123abc123abc123abc123abc1',
  'my-company-login-secret-2026',
])('%s can be guessed', (secret) => {
  expect(bitsOf(secret)).toBeLessThan(64)
})

test('a sentence is weak, however long it looks', () => {
  expect(bitsOf('a secret of a test that nobody keeps')).toBeLessThanOrEqual(80)
  expect(bitsOf('my secret is that nobody keeps it')).toBeLessThan(80)
})

test('what is drawn at random cannot be guessed', () => {
  const drawn = upTo(300).flatMap(() => [
    randomBytes(16).toString('hex'),
    randomBytes(24).toString('base64'),
    randomBytes(32).toString('base64url'),
    [...randomBytes(32)].map((byte) => byte % 10).join(''),
  ])
  expect(drawn.filter((secret) => bitsOf(secret) < 80)).toEqual([])
})

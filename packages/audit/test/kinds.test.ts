import { readFileSync } from 'node:fs'
import { groupNames, isKindOrGroup, kindNames, parseNetwork } from '../src/index.ts'
import { isOneOf } from '../src/kinds.ts'
import { mostOf, partOf, parts } from '../src/parts.ts'

test('PROTOCOL.md lists every kind', () => {
  const prose = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8')
  const [, section = ''] = prose.split('\n## Administrators\n')
  const [, table = ''] = section.split('| kind | when |')
  const listed = (table.split('\n\n')[0] ?? '').split('\n').flatMap((row) => {
    const [, first = ''] = row.split('|')
    return [...first.matchAll(/`([a-z.]+)`/g)].map(([, kind = '']) => kind)
  })
  expect([...listed].sort()).toEqual([...kindNames].sort())
})

test('a group stands for its kinds', () => {
  expect(groupNames).toContain('login')
  expect(['login', 'login.asked', 'refusals'].map(isKindOrGroup)).toEqual([true, true, true])
  expect(['logi', 'login.', 'toString', ''].map(isKindOrGroup)).toEqual([false, false, false, false])
  expect(isOneOf('login.asked', ['login'])).toBe(true)
  expect(isOneOf('login.asked', ['login.scanned', 'session'])).toBe(false)
})

test('all entries of a person have one part, and a bound is divided among all', () => {
  const person = 'V1StGXR8_Z5jdHi6B-myTQ'
  const own = partOf({ kind: 'login.scanned', person, ticket: 'a' })
  expect(partOf({ kind: 'session.ended', person, sid: 'b' })).toBe(own)
  expect(parts.reduce((sum, part) => sum + mostOf(part, 12_000), 0)).toBe(12_000)
  expect(own).toMatch(/^people-/)
  expect(partOf({ kind: 'login.asked', ticket: 'a' })).toMatch(/^strangers-/)
})

test.each([
  ['203.0.113.7', '203.0.113.7', true],
  ['203.0.113.7', '203.0.113.8', false],
  ['203.0.113.0/24', '203.0.113.255', true],
  ['203.0.113.0/24', '203.0.114.0', false],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['2001:db8::/32', '203.0.113.7', false],
  ['0.0.0.0/0', '203.0.113.7', true],
  ['0.0.0.0/0', '', false],
])('whether %s has %j: %s', (network, address, expected) => {
  const parsed = parseNetwork(network)
  expect(parsed.ok && parsed.value(address)).toBe(expected)
})

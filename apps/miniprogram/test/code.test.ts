import fc from 'fast-check'
import { readCode, typed } from '../src/logic/code.ts'
import { createText } from '../src/logic/text.ts'
import { en } from '../src/logic/words-en.ts'
import { zh } from '../src/logic/words-zh.ts'

const known = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'
const scene = (length: number) => fc.string({ unit: fc.constantFrom(...known), minLength: length, maxLength: length })

test('a ticket has 22 characters and a pooled code 24, however WeChat encodes them', () => {
  const encodings = fc.constantFrom<(text: string) => string>(
    (text) => text,
    encodeURIComponent,
    (text) => text.replace(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  )
  fc.assert(
    fc.property(scene(22), scene(24), encodings, (ticket, pooled, encode) => {
      expect(readCode(encode(ticket))).toEqual({ kind: 'ticket', ticket })
      expect(readCode(encode(pooled))).toEqual({ kind: 'pooled', scene: pooled })
    }),
  )
})

test('any other content of a code leads nowhere and is not sent to the server', () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 64 }),
    fc.constantFrom('%', '%E0%A4%A', `${'a'.repeat(22)}\n`, `${'a'.repeat(23)}%00`, 'demo:Ana', 'undefined', '../scan'),
    fc.webUrl(),
  )
  fc.assert(
    fc.property(odd, (text) => {
      fc.pre(!/^[\w-]{22}$|^[\w-]{24}$/.test(text))
      expect(readCode(text).kind).toMatch(/^unknown$/)
    }),
  )
  expect([readCode(undefined), readCode('')]).toEqual([{ kind: 'none' }, { kind: 'none' }])
})

test('typed input is read as intended', () => {
  expect(typed(' ｂｃｄｆ－ghjk ')).toBe('BCDF-GHJK')
  expect(typed('４７')).toBe('47')
})

describe('words', () => {
  test.each([
    ['zh_CN', 'zh'],
    ['zh_TW', 'zh'],
    ['en', 'en'],
    ['en_US', 'en'],
    ['en-GB', 'en'],
    ['ja', 'zh'],
    [undefined, 'zh'],
  ])('a phone that speaks %s gets %s', (named, language) => expect(createText(named).language).toBe(language))

  const places = (words: object): string[] =>
    Object.entries(words).flatMap(([name, value]) =>
      typeof value === 'string'
        ? `${name} ${(value.match(/\{\w+\}/g) ?? []).sort()}`
        : places(value).map((place) => `${name}.${place}`),
    )
  test('both languages say the same about the same values', () => expect(places(en)).toEqual(places(zh)))

  test.each([
    [0, 'just now'],
    [-60, 'just now'],
    [90, '90 seconds ago'],
    [600, '10 min ago'],
    [10_800, '3 h ago'],
    [300_000, '3 days ago'],
    [Number.NaN, 'unknown'],
  ])('%d s ago: %s', (seconds, words) => {
    const now = Date.parse('2026-11-21T12:00:00Z')
    const then = Number.isNaN(seconds) ? 'some day' : new Date(now - seconds * 1_000).toISOString()
    expect(createText('en', () => now).sayAge(then)).toBe(words)
  })

  test('an unknown code still has a sentence', () => {
    const { sayCode, sayRefusal } = createText('en')
    expect([sayCode('TICKET_TAKEN'), sayCode('NETWORK'), sayCode('odd'), sayRefusal('odd')]).toEqual([
      'Somebody else has already scanned this code.',
      'The server cannot be reached.',
      'The answer of the server is not understood.',
      'The shop does not answer right now. Please try again.',
    ])
  })
})

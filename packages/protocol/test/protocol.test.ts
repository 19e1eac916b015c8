import { readFileSync } from 'node:fs'
import {
  codes,
  deviceCodePattern,
  isTerminal,
  parseDeviceCode,
  parsePooledScene,
  parseTicket,
  parseTicketState,
  parseVerificationDigits,
  parseWatch,
  ticketOf,
  transitions,
} from '../src/index.ts'

const ticket = 'abcdefghijklmnopqrstuv'
const deviceCode = `${ticket}${'x'.repeat(43)}`

test('PROTOCOL.md lists every code with its status and reaction', () => {
  const prose = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8')
  const rows = [...prose.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| (\w+) \|$/gm)].map(([, code, status, react]) => ({
    code,
    status: Number(status),
    react,
  }))
  expect(rows).toEqual(Object.entries(codes).map(([code, { status, react }]) => ({ code, status, react })))
})

test('every code has a sentence in English and in Chinese', () => {
  for (const { say } of Object.values(codes)) {
    expect(say.en).toMatch(/^[A-Z].*\.$/)
    expect(say.zh).toMatch(/。$/)
  }
})

test('every transition leads to a known status, and final statuses lead nowhere', () => {
  for (const [status, targets] of Object.entries(transitions)) {
    for (const target of targets) expect(Object.keys(transitions)).toContain(target)
    expect(isTerminal(status as keyof typeof transitions)).toBe(targets.length === 0)
  }
})

test('a device code begins with its ticket and differs from it', () => {
  expect(deviceCodePattern.test(deviceCode)).toBe(true)
  expect(ticketOf(deviceCode)).toBe(ticket)
  expect(parseTicket(deviceCode).ok).toBe(false)
  expect(parseDeviceCode(ticket).ok).toBe(false)
})

test('the length of a scene tells a ticket from a pooled code', () => {
  const scene = `${ticket}wx`
  expect([parsePooledScene(scene).ok, parseTicket(scene).ok]).toEqual([true, false])
  expect([parsePooledScene(ticket).ok, parseTicket(ticket).ok]).toEqual([false, true])
})

test.each([
  ['47', true],
  ['7', false],
  ['470', false],
  ['4a', false],
  [47, false],
  ['٤٧', false],
  ['47\n', false],
])('the check number of a code is two digits of text: %p', (check, ok) => {
  expect(parseVerificationDigits({ check }).ok).toBe(ok)
})

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a number', 7],
  ['a string', deviceCode],
  ['an array', [deviceCode]],
  ['a missing key', {}],
  ['a wrong type', { deviceCode: { toString: 'x' } }],
  ['a code that is too short', { deviceCode: ticket }],
  ['a code with a line break', { deviceCode: `${deviceCode}\n` }],
  ['a code of other characters', { deviceCode: deviceCode.replace('a', 'é') }],
])('watch refuses %s', (_, input) => {
  expect(parseWatch(input)).toMatchObject({ ok: false, code: 'INVALID' })
})

test('a state keeps its four keys and nothing else', () => {
  const state = { ticket, status: 'scanned', version: 2, expiresIn: 58 }
  expect(parseTicketState({ ...state, openid: 'oABC' })).toEqual({ ok: true, value: state })
  const unfit = (member: string) => ({ ok: false, code: 'INVALID', unfit: [member] })
  expect(parseTicketState({ ...state, status: 'approved' })).toEqual(unfit('status'))
  expect(parseTicketState({ ...state, version: -1 })).toEqual(unfit('version'))
})

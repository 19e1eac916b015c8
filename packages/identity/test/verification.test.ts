import { verificationModes } from '@saoma/protocol'
import { acrOf, acrValues, modeOf } from '../src/authentication.ts'
import { type AskedAcrs, askedIn, demandFor, isMet } from '../src/verification.ts'

const asks = (modes: string, essential = false): AskedAcrs => ({
  acrs: modes
    .split(' ')
    .filter(Boolean)
    .map((mode) => (mode.includes(':') ? mode : `urn:saoma:acr:${mode}`)),
  essential,
})

test('each mode has a name in tokens, and the former name of a tap is read', () => {
  expect(acrValues).toEqual(['urn:saoma:acr:tap', 'urn:saoma:acr:number', 'urn:saoma:acr:network'])
  for (const mode of verificationModes) expect(modeOf(acrOf(mode))).toBe(mode)
  expect([modeOf('scan'), modeOf('urn:saoma:acr:telepathy'), modeOf(undefined)]).toEqual(['tap', undefined, undefined])
})

test.each([
  ['tap', '', 'tap'],
  ['network-or-number', '', 'network-or-number'],
  ['tap', 'number', 'number'],
  ['tap', 'number tap', 'number'],
  ['tap', 'tap number', 'tap'],
  ['tap', 'network number', 'network-or-number'],
  ['tap', 'network', 'network'],
  // Never less than the client's own.
  ['number', 'tap', 'number'],
  ['number', 'tap network', 'network'],
  ['network', 'number tap', 'network'],
  ['network-or-number', 'tap', 'network-or-number'],
  ['network-or-number', 'number', 'number'],
  // What nobody knows, or nobody can do yet, counts only if there is nothing else.
  ['number', 'urn:example:vault tap', 'number'],
  ['tap', 'passkey number', 'number'],
  ['tap', 'passkey', undefined],
  ['tap', 'urn:example:vault', undefined],
] as const)('a client with %s and a request for "%s" demand %s', (demand, modes, expected) => {
  expect(demandFor(demand, asks(modes))).toBe(expected)
})

test.each([
  ['number', 'tap', undefined],
  ['number', 'tap number', 'number'],
  ['tap', 'tap', 'tap'],
] as const)('a client with %s and an essential request for "%s" demand %s', (demand, modes, expected) => {
  expect(demandFor(demand, asks(modes, true))).toBe(expected)
})

test.each([
  ['tap', 'tap', '', true],
  ['tap', 'number', '', false],
  ['number', 'number', '', true],
  ['network', 'number', '', true],
  ['number', 'network', '', false],
  ['number', 'network-or-number', '', true],
  ['tap', 'network-or-number', '', false],
  // By `acr_values`.
  ['tap', 'tap', 'number', false],
  ['network', 'tap', 'number', true],
  ['number', 'tap', 'urn:example:vault tap', true],
  ['number', 'number', 'tap', true],
  ['tap', 'number', 'tap', false],
  ['network', 'tap', 'passkey', false],
] as const)(
  'a session by %s of a client with %s and a request for "%s": enough is %s',
  (done, demand, modes, expected) => {
    expect(isMet(acrOf(done), demand, asks(modes))).toBe(expected)
  },
)

test('an essential request is met by its own words alone', () => {
  expect(isMet(acrOf('network'), 'tap', asks('number', true))).toBe(false)
  expect(isMet(acrOf('number'), 'tap', asks('tap number', true))).toBe(true)
  expect(isMet('scan', 'tap', asks('tap', true))).toBe(true)
  expect(isMet(undefined, 'tap', asks(''))).toBe(false)
})

test('what a request that waits has asked for is read from its parameters', () => {
  const [number, tap] = ['urn:saoma:acr:number', 'urn:saoma:acr:tap']
  const claims = (acr: unknown) => JSON.stringify({ id_token: { acr } })
  expect(askedIn({})).toEqual({ acrs: [], essential: false })
  expect(askedIn({ acr_values: `${number} ${tap}` })).toEqual({ acrs: [number, tap], essential: false })
  expect(askedIn({ claims: claims({ value: number, essential: true }) })).toEqual({ acrs: [number], essential: true })
  expect(askedIn({ claims: claims({ values: [tap, 7] }) })).toEqual({ acrs: [tap], essential: false })
  expect(askedIn({ claims: claims(null) })).toEqual({ acrs: [], essential: false })
  expect(askedIn({ claims: '{"id_token":null}' })).toEqual({ acrs: [], essential: false })
  // As the provider has it.
  expect(askedIn({ acr_values: tap, claims: claims({ value: number, essential: true }) }).acrs).toEqual([tap])
})

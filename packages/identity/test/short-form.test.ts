import type { AdapterPayload } from '../src/oidc-provider.ts'
import { fieldsOf, inJson, type RecordForm } from '../src/record-form.ts'
import { shortForms } from '../src/short-form.ts'

const origin = 'https://login.example.com'
const scope = 'openid profile offline_access'
const { grant, refreshToken } = shortForms(origin, () => true)

/** As the provider hands them to be stored. */
const granted: AdapterPayload = {
  iat: 1_790_000_000,
  exp: 1_797_776_000,
  accountId: 'k3v0m2Tq2m0wJ8rV9aXgQw',
  clientId: 'web',
  resources: { [origin]: scope },
  openid: { scope },
  kind: 'Grant',
}
const issued: AdapterPayload = {
  iat: 1_790_000_001,
  exp: 1_791_209_601,
  accountId: 'k3v0m2Tq2m0wJ8rV9aXgQw',
  acr: 'urn:saoma:acr:tap',
  amr: ['mca', 'user'],
  authTime: 1_789_999_990,
  clientId: 'web',
  grantId: '3pYQk0m2Tq2m0wJ8rV9aXg',
  gty: 'device_code',
  resource: origin,
  rotations: 0,
  scope,
  sid: '3pYQk0m2Tq2m0wJ8rV9aXg',
  kind: 'RefreshToken',
  iiat: 1_790_000_000,
}
const rotated: AdapterPayload = { ...issued, gty: 'device_code refresh_token', rotations: 12_345 }
const stored = (form: RecordForm, payload: AdapterPayload) => fieldsOf(form.write(payload))

// Nobody asks when a grant was issued.
test('a grant and a refresh token are short, and read as they were', () => {
  const { iat: _, ...lasting } = granted
  expect(grant.read(stored(grant, granted))).toEqual(lasting)
  for (const token of [issued, rotated]) expect(refreshToken.read(stored(refreshToken, token))).toEqual(token)
  for (const fields of [stored(grant, granted), stored(refreshToken, issued), stored(refreshToken, rotated)]) {
    expect(fields).not.toHaveProperty('payload')
    // A longer value would make the hash a table, which takes three times as much.
    for (const value of Object.values(fields)) expect(value.length).toBeLessThanOrEqual(64)
  }
})

test('the records of an application are short, too', () => {
  const sessionUid = 'k3v0m2Tq2m0wJ8rV9aXgQw'
  // Whose they are stands in the record of the session.
  const [{ accountId: _of, ...ofNobody }, { accountId: _owner, ...tokenOfNobody }] = [granted, issued]
  const resource = `${origin}/oidc/me`
  const small = 'openid profile'
  const entered: AdapterPayload = {
    ...ofNobody,
    clientId: 'wiki',
    openid: { scope: small },
    resources: { [resource]: small },
    sessionUid,
  }
  const token: AdapterPayload = {
    ...tokenOfNobody,
    ...{ clientId: 'wiki', scope: small, resource, sid: sessionUid, sessionUid },
    gty: 'authorization_code',
  }
  const ofRegistration: AdapterPayload = { ...entered, registration: 'r3gistrat10n0fwiki' }
  // The session itself, as the page of an interaction begins it.
  const begun: AdapterPayload = {
    ...granted,
    clientId: `login:${'u'.repeat(43)}`,
    openid: { scope: 'openid' },
    resources: { [`${origin}/oidc/interaction`]: 'openid' },
  }
  for (const { iat: _, ...lasting } of [entered, ofRegistration, begun])
    expect(grant.read(stored(grant, { ...lasting, iat: 1 }))).toEqual(lasting)
  expect(stored(grant, begun)).not.toHaveProperty('payload')
  const next = {
    ...token,
    gty: 'authorization_code refresh_token',
    rotations: 7,
    nonce: 'n'.repeat(43),
    jkt: 'j'.repeat(43),
  }
  for (const payload of [token, next]) expect(refreshToken.read(stored(refreshToken, payload))).toEqual(payload)
  for (const fields of [
    stored(grant, entered),
    stored(grant, ofRegistration),
    stored(refreshToken, token),
    stored(refreshToken, next),
  ]) {
    expect(fields).not.toHaveProperty('payload')
    for (const value of Object.values(fields)) expect(value.length).toBeLessThanOrEqual(64)
  }
  // What the form does not hold stays in JSON.
  expect(Object.keys(stored(grant, { ...entered, openid: { scope: small, claims: ['name'] } }))).toEqual(['payload'])
  expect(Object.keys(stored(refreshToken, { ...token, acr: 'urn:saoma:acr:other' }))).toEqual(['payload'])
  for (const payload of [issued, token]) {
    const stronger = { ...payload, acr: 'urn:saoma:acr:number' }
    expect(stored(refreshToken, stronger)).toMatchObject({ v: 'number' })
    expect(refreshToken.read(stored(refreshToken, stronger))).toEqual(stronger)
  }
})

test('a token of a former version, which names a tap in another way, becomes one of today', () => {
  const { amr: _, ...former } = { ...issued, acr: 'scan' }
  expect(refreshToken.read(stored(inJson, former))).toEqual(issued)
  expect(stored(refreshToken, issued)).not.toHaveProperty('v')
})

test('another scope is kept', () => {
  const small = 'openid offline_access'
  const other = { ...granted, openid: { scope: small }, resources: { [origin]: small } }
  expect(grant.read(stored(grant, other))).toMatchObject({ openid: { scope: small }, resources: { [origin]: small } })
  expect(stored(grant, other)).not.toHaveProperty('payload')
  const token = { ...issued, scope: small }
  expect(refreshToken.read(stored(refreshToken, token))).toEqual(token)
  expect(stored(refreshToken, token)).not.toHaveProperty('payload')
})

const others: [record: string, what: string, form: RecordForm, payload: AdapterPayload][] = [
  ['grant', 'claims', grant, { ...granted, openid: { scope, claims: ['email'] } }],
  ['grant', 'a refusal', grant, { ...granted, rejected: { openid: { scope: 'profile' } } }],
  ['grant', 'another resource', grant, { ...granted, resources: { 'https://shop.example.com': scope } }],
  ['grant', 'another scope of its resource', grant, { ...granted, resources: { [origin]: 'openid' } }],
  ['grant', 'no account', grant, { iat: 1, exp: 2, clientId: 'web', kind: 'Grant' }],
  ['refresh token', 'a nonce', refreshToken, { ...issued, nonce: 'n' }],
  ['refresh token', 'claims', refreshToken, { ...issued, claims: { id_token: { email: null } } }],
  ['refresh token', 'another resource', refreshToken, { ...issued, resource: 'https://shop.example.com' }],
  ['refresh token', 'another way to log in', refreshToken, { ...issued, acr: 'password' }],
  ['refresh token', 'another session', refreshToken, { ...issued, sid: 'k3v0m2Tq2m0wJ8rV9aXgQw' }],
  ['refresh token', 'another grant type', refreshToken, { ...issued, gty: 'authorization_code' }],
  ['refresh token', 'no rotations', refreshToken, { ...issued, rotations: undefined }],
]
test.each(others)('a %s with %s stays in JSON, and nothing of it is lost', (_record, _what, form, payload) => {
  const fields = stored(form, payload)
  expect(Object.keys(fields)).toEqual(['payload'])
  expect(form.read(fields)).toEqual(JSON.parse(JSON.stringify(payload)))
})

test('as long as a node may not read the short form, JSON is written', () => {
  let agreed = false
  const forms = shortForms(origin, () => agreed)
  expect(forms.grant.write(granted)).toEqual(inJson.write(granted))
  expect(forms.refreshToken.write(issued)).toEqual(inJson.write(issued))
  // What was written before and after is read at any time.
  for (const now of [true, false]) {
    agreed = now
    expect(forms.grant.read(stored(inJson, granted))).toEqual(granted)
    expect(forms.refreshToken.read(stored(refreshToken, issued))).toEqual(issued)
  }
  expect(forms.grant.read({ token: 'a name', from: '1', got: '1' })).toBeUndefined()
  expect(forms.refreshToken.read({})).toBeUndefined()
})

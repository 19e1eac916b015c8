import { createHash } from 'node:crypto'
// Types alone: a command that reads clients needs no OAuth provider.
import type { Client, ClientGrant } from '@saoma/identity'
import * as v from 'valibot'
import { readJsonList } from './json-list.ts'
import { isNetwork } from './networks.ts'
import { verificationDemand } from './verification-demand.ts'

/** What an application may ask for. */
export const clientScopes = ['openid', 'profile', 'phone', 'business', 'offline_access'] as const
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code' satisfies ClientGrant
const CIBA = 'urn:openid:params:grant-type:ciba' satisfies ClientGrant
const grants = Object.keys({
  authorization_code: 1,
  refresh_token: 1,
  [DEVICE]: 1,
  [CIBA]: 1,
} satisfies Record<ClientGrant, 1>) as [ClientGrant, ...ClientGrant[]]

/** Ids that our own clients have. */
const TAKEN: readonly string[] = ['web', 'phone', 'miniprogram']
export const CLIENT_ID_RULE = 'must be 1 to 64 of A-Z, a-z, 0-9, . _ and -, and not web, phone or miniprogram'
const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
export const isClientId = (id: string): boolean => CLIENT_ID.test(id) && !TAKEN.includes(id)

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/
/** A scheme of an app's own is a domain backwards (RFC 8252, section 7.1). So it cannot be `javascript:`. */
const OWN_SCHEME = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/

/** Whether a browser may be sent to this address with an answer. */
const isRedirect = (text: string, type: Client['type']): boolean => {
  const url = URL.parse(text)
  if (!url || /[#\s\\]/.test(text) || url.username !== '' || url.password !== '') return false
  // Addresses are compared to the letter, so this one must be written as browsers write it.
  if (!text.startsWith(url.protocol)) return false
  if (url.protocol === 'https:') return true
  if (url.protocol === 'http:') return type === 'confidential' || LOOPBACK.test(url.hostname)
  return type === 'public' && OWN_SCHEME.test(url.protocol)
}

/** Whether an address is that of a program on the person's machine (RFC 8252). */
const isProgram = (uri: string): boolean => !uri.startsWith('https:')
/** oidc-provider refuses these in clients that are programs. */
const isSecureHere = (uri: string): boolean => !isProgram(uri) && LOOPBACK.test(URL.parse(uri)?.hostname ?? '')

const REDIRECT_RULE = {
  public: 'must list addresses with https, or with http on this machine, or with a scheme such as com.example.app:',
  confidential: 'must list addresses with https or http',
} as const

const BACKCHANNEL_RULE = 'must be an address with https, or with http of a confidential client'

/** What a hash of a variable that is not set gives. With it the empty secret would be the right one. */
const SHA256_OF_NOTHING = createHash('sha256').digest('hex')
const NOTIFICATION_RULE = 'must be an address with https'

export const NETWORKS_RULE = 'must list addresses or networks such as 10.0.0.0/8'

const unique = <T extends v.GenericSchema>(item: T, what: string) =>
  v.pipe(
    v.array(item, `must be a list of ${what}`),
    v.check((all) => new Set(all).size === all.length, 'must have nothing twice'),
  )
const oneOf = <const T extends readonly [string, ...string[]]>(words: T) =>
  v.picklist(words, `must be one of ${words.join(', ')}`)
const addresses = unique(v.pipe(v.string('must be a list of addresses'), v.maxLength(2_000)), 'addresses')

const Entry = v.strictObject({
  client_id: v.pipe(v.string(CLIENT_ID_RULE), v.check(isClientId, CLIENT_ID_RULE)),
  client_name: v.pipe(
    v.string('must be a name of 1 to 64 characters'),
    v.check(
      (name) => name.trim() === name && name.length > 0 && name.length <= 64,
      'must be a name of 1 to 64 characters',
    ),
  ),
  logo_uri: v.optional(
    v.pipe(
      v.string('must be an address with https'),
      v.check((text) => URL.parse(text)?.protocol === 'https:', 'must be an address with https'),
    ),
  ),
  type: oneOf(['public', 'confidential']),
  party: v.optional(oneOf(['first', 'third']), 'third'),
  redirect_uris: v.optional(addresses, []),
  post_logout_redirect_uris: v.optional(addresses, []),
  backchannel_logout_uri: v.optional(v.pipe(v.string(BACKCHANNEL_RULE), v.maxLength(2_000, BACKCHANNEL_RULE))),
  backchannel_logout_session_required: v.optional(v.boolean('must be true or false')),
  backchannel_client_notification_endpoint: v.optional(
    v.pipe(v.string(NOTIFICATION_RULE), v.maxLength(2_000, NOTIFICATION_RULE)),
  ),
  grant_types: v.optional(unique(oneOf(grants), 'grants'), ['authorization_code']),
  scope: v.optional(
    v.pipe(
      v.string('must be words with one space between two'),
      v.transform((text) => text.split(' ')),
      unique(oneOf(clientScopes), 'scopes'),
    ),
    'openid profile',
  ),
  id_token_signed_response_alg: v.optional(oneOf(['RS256', 'ES256']), 'RS256'),
  verify: v.optional(verificationDemand),
  networks: v.optional(
    v.pipe(
      unique(v.pipe(v.string(NETWORKS_RULE), v.check(isNetwork, NETWORKS_RULE)), 'addresses or networks'),
      v.minLength(1, NETWORKS_RULE),
    ),
  ),
  secret_sha256: v.optional(
    v.pipe(
      v.string('must be the SHA-256 of the secret in hex'),
      v.regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of the secret in hex'),
      v.notValue(SHA256_OF_NOTHING, 'is the SHA-256 of an empty text: hash the secret itself'),
    ),
  ),
  client_id_issued_at: v.optional(
    v.pipe(
      v.number('must be the seconds since 1970'),
      v.safeInteger('must be the seconds since 1970'),
      v.minValue(0, 'must be the seconds since 1970'),
    ),
  ),
})
type Entry = v.InferOutput<typeof Entry>
/** An entry as it stands in the file. */
export type ClientEntry = v.InferInput<typeof Entry>
/** What is registered of an application, without its secret. */
export type Registration = Omit<ClientEntry, 'secret_sha256'>
/** The members of an entry, for other readers of registrations. */
export const clientMembers = Entry.entries

/** What does not go together in an entry: the member, and the end of a sentence. */
const contradiction = (entry: Entry): [member: keyof Entry, what: string] | undefined => {
  const { type, redirect_uris: redirects, post_logout_redirect_uris: logouts, secret_sha256: secret } = entry
  const usesCode = entry.grant_types.includes('authorization_code')
  if (!redirects.every((uri) => isRedirect(uri, type))) return ['redirect_uris', REDIRECT_RULE[type]]
  if (type === 'public' && redirects.some(isProgram) && redirects.some(isSecureHere))
    return ['redirect_uris', 'must not have https on this machine beside addresses of a program']
  if (!logouts.every((uri) => isRedirect(uri, type))) return ['post_logout_redirect_uris', REDIRECT_RULE[type]]
  const { backchannel_logout_uri: backchannel } = entry
  const isNative = type === 'public' && redirects.some(isProgram)
  if (isNative && logouts.some(isSecureHere))
    return ['post_logout_redirect_uris', 'must not have https on this machine in a client that is a program']
  if (!isNative && type === 'public' && logouts.some(isProgram))
    return ['post_logout_redirect_uris', 'must have https, as redirect_uris have']
  if (backchannel !== undefined && !(/^https?:/.test(backchannel) && isRedirect(backchannel, 'confidential')))
    return ['backchannel_logout_uri', BACKCHANNEL_RULE]
  if (type === 'public' && backchannel?.startsWith('http:')) return ['backchannel_logout_uri', BACKCHANNEL_RULE]
  const { backchannel_client_notification_endpoint: notification } = entry
  const usesPush = entry.grant_types.includes(CIBA)
  if (usesPush && type === 'public') return ['grant_types', `must not have ${CIBA} in a public client`]
  if (notification !== undefined && !(notification.startsWith('https:') && isRedirect(notification, 'confidential')))
    return ['backchannel_client_notification_endpoint', NOTIFICATION_RULE]
  if (notification !== undefined && !usesPush)
    return ['backchannel_client_notification_endpoint', `is of no use without ${CIBA}`]
  if (usesPush && entry.verify === 'network')
    return ['verify', 'must not be network where the login begins at a server']
  if (entry.grant_types.every((grant) => grant === 'refresh_token'))
    return ['grant_types', `must have a way to log in: authorization_code, ${DEVICE} or ${CIBA}`]
  if (usesCode && redirects.length === 0) return ['redirect_uris', 'is needed for authorization_code']
  if (!usesCode && redirects.length > 0) return ['redirect_uris', 'is of no use without authorization_code']
  if (type === 'confidential' && !secret) return ['secret_sha256', 'is needed: a confidential client has a secret']
  if (type === 'public' && secret) return ['secret_sha256', 'is of no use: a public client can keep no secret']
  if (!entry.scope.includes('openid')) return ['scope', 'must have openid']
  return undefined
}

const clientOf = (entry: Entry): Client => ({
  id: entry.client_id,
  name: entry.client_name,
  ...(entry.logo_uri ? { logo: entry.logo_uri } : {}),
  type: entry.type,
  party: entry.party,
  redirectUris: entry.redirect_uris,
  postLogoutRedirectUris: entry.post_logout_redirect_uris,
  ...(entry.backchannel_logout_uri ? { backchannelLogoutUri: entry.backchannel_logout_uri } : {}),
  ...(entry.backchannel_client_notification_endpoint
    ? { notificationEndpoint: entry.backchannel_client_notification_endpoint }
    : {}),
  grants: entry.grant_types,
  scopes: entry.scope,
  idTokenAlg: entry.id_token_signed_response_alg,
  ...(entry.verify ? { verify: entry.verify } : {}),
  ...(entry.networks ? { networks: entry.networks } : {}),
  ...(entry.secret_sha256 ? { secretSha256: entry.secret_sha256 } : {}),
  ...(entry.client_id_issued_at === undefined ? {} : { registration: `issued ${entry.client_id_issued_at}` }),
})

/** An application, or the member of its entry that is wrong and the end of a sentence. */
export type ReadClient = { client: Client } | { member: string | undefined; what: string }

/** Reads one entry. */
export const readClient = (item: unknown): ReadClient => {
  const entry = v.safeParse(Entry, item)
  if (entry.success) {
    const contradicts = contradiction(entry.output)
    return contradicts ? { member: contradicts[0], what: contradicts[1] } : { client: clientOf(entry.output) }
  }
  const [issue] = entry.issues
  const member = v.getDotPath(issue)?.split('.')[0]
  if (member === undefined) return { member, what: 'a client must be an object' }
  if (issue.type !== 'strict_object') return { member, what: issue.message }
  return { member, what: issue.expected === 'never' ? 'is no member of a client' : 'is needed' }
}

export interface ParsedClients {
  /** By id. */
  clients: ReadonlyMap<string, Client>
  registrations: ReadonlyMap<string, Registration>
  problems: string[]
}

/**
 * Reads the registered applications: a JSON list of objects, with the names of RFC 7591 where it has one.
 * Each problem is a sentence with its line. With a problem there are no clients.
 */
export const parseClients = (text: string): ParsedClients => {
  const clients = new Map<string, Client>()
  const registrations = new Map<string, Registration>()
  const problems = readJsonList(text, 'clients', (item, wrong) => {
    const read = readClient(item)
    if (!('client' in read)) return wrong(read.what, read.member)
    const { client } = read
    if (clients.has(client.id)) return wrong(`${client.id} is taken`, 'client_id')
    const { secret_sha256: _, ...registration } = item as ClientEntry
    clients.set(client.id, client)
    registrations.set(client.id, registration)
  })
  return problems.length > 0
    ? { clients: new Map(), registrations: new Map(), problems }
    : { clients, registrations, problems }
}

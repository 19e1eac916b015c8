import { readFileSync } from 'node:fs'
import { isOwnClaim } from '@saoma/accounts'
import type { SessionKind } from '@saoma/identity'
import { parseRedisUrl } from '@saoma/redis'
import * as v from 'valibot'
import { parseApiKeys } from '../access/api-keys.ts'
import { isPrivateNetwork } from '../access/application-networks.ts'
import { isNetwork } from '../access/networks.ts'
import { parseClients } from '../access/read-clients.ts'
import { type PhoneIssuer, parsePhoneIssuers } from '../access/read-phone-issuers.ts'
import type { ListText } from '../access/reread-list.ts'
import { parseRules, type Rule } from '../access/rules.ts'
import { verificationDemand } from '../access/verification-demand.ts'
import { traceSamplers } from '../operate/tracing/options.ts'
import { codeStore, origin, pageOrigin, publicPlace, webAddress } from './address-settings.ts'
import { algorithms, claimNames, keySource } from './jwks-settings.ts'
import { loginTemplate } from './login-template.ts'
import { androidApps, installLinks, iosApps } from './own-app.ts'
import { parseWechatApps } from './wechat-apps.ts'

const number = (min: number, max: number) =>
  v.pipe(v.string(), v.regex(/^\d+$/, 'must be a whole number'), v.transform(Number), v.minValue(min), v.maxValue(max))
const list = v.pipe(
  v.string(),
  v.transform((text) =>
    text
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean),
  ),
)
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const redisUrl = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    try {
      parseRedisUrl(dataset.value)
    } catch (error) {
      addIssue({ message: (error as TypeError).message })
    }
  }),
)
/** The text of a PEM file. */
const pemFile = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    let text = ''
    try {
      text = readFileSync(dataset.value, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      addIssue({ message: `names a file that cannot be read (${code}): ${dataset.value}` })
      return NEVER
    }
    if (text.includes('-----BEGIN ')) return text
    addIssue({ message: `names a file that is not PEM: ${dataset.value}` })
    return NEVER
  }),
)
const cidr = v.pipe(v.string(), v.check(isNetwork, 'must list addresses or networks such as 10.0.0.0/8'))
const privateNetwork = v.pipe(
  v.string(),
  v.check(
    isPrivateNetwork,
    'must list networks such as 10.0.0.0/8 or fd00::/8, no wider than /8 (IPv6: /7), by commas',
  ),
)
const secret = v.pipe(v.string(), v.minLength(32, 'must have at least 32 characters'))
const hookSecret = v.pipe(v.string(), v.regex(/^[\x20-\x7e]{16,}$/, 'must have at least 16 characters of ASCII'))
const ownClaim = v.pipe(
  v.string(),
  v.check(isOwnClaim, 'must hold names that are URIs, such as https://shop.example.com/level, separated by commas'),
)
/** A setting that holds a text for `parse`, or the path of a file with that text. */
const listing = <T>(parse: (text: string, file?: string) => { value: T; problems: readonly string[] }) =>
  v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const file = /^[/.]/.test(dataset.value) ? dataset.value : undefined
      let text = dataset.value
      try {
        if (file) text = readFileSync(file, 'utf8')
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        addIssue({ message: `names a file that cannot be read (${code}): ${file}` })
        return NEVER
      }
      const { value, problems } = parse(text, file)
      for (const problem of problems) addIssue({ message: problem })
      return problems.length > 0 ? NEVER : value
    }),
  )
// Only the type is imported: a command that reads the settings needs no OAuth provider.
const sessionKinds = Object.keys({ web: 1, computer: 1, phone: 1 } satisfies Record<SessionKind, 1>) as SessionKind[]
/** `web=1 phone=5`: the most sessions of a person, by kind. */
const sessionsPerKind = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const limits: Partial<Record<SessionKind, number>> = {}
    for (const word of dataset.value.split(/[\s,]+/).filter(Boolean)) {
      const [, name = '', most = ''] = /^([a-z]+)=(\d{1,3})$/.exec(word) ?? []
      const kind = sessionKinds.find((known) => known === name)
      if (kind === undefined || Number(most) < 1 || Number(most) > 100 || limits[kind] !== undefined) {
        const kinds = sessionKinds.map((known) => `${known}=1`).join(' ')
        addIssue({ message: `must be such as "${kinds}", each kind at most once and from 1 to 100, not "${word}"` })
        return NEVER
      }
      limits[kind] = Number(most)
    }
    return limits
  }),
)
/** One that is read again when its file changes. */
const rereadListing = (parse: (text: string) => { problems: readonly string[] }) =>
  listing<ListText>((text, file) => ({ value: { text, ...(file ? { file } : {}) }, problems: parse(text).problems }))

const apiKeys = rereadListing(parseApiKeys)
const rules = listing<readonly Rule[]>((text) => {
  const parsed = parseRules(text)
  return { value: parsed.rules, problems: parsed.problems }
})

const wechatApps = listing(parseWechatApps)
const clients = rereadListing(parseClients)
const phoneIssuers = listing<ListText & { issuers: readonly PhoneIssuer[] }>((text, file) => {
  const { issuers, problems } = parsePhoneIssuers(text)
  return { value: { text, issuers, ...(file ? { file } : {}) }, problems }
})

/** The schema of each setting. `.env.template` explains them. */
export const Environment = v.object({
  SAOMA_ORIGIN: origin,
  SAOMA_NODE_ID: v.optional(v.pipe(v.string(), v.regex(/^[a-z0-9]{1,16}$/, 'must be 1 to 16 of a-z and 0-9'))),
  HOST: v.optional(v.string(), '0.0.0.0'),
  PORT: v.optional(number(0, 65_535), '3000'),
  INTERNAL_PORT: v.optional(number(0, 65_535), '9090'),
  REDIS_URL: v.optional(redisUrl, 'redis://127.0.0.1:6379'),
  REDIS_CA_FILE: v.optional(pemFile),
  REDIS_CERT_FILE: v.optional(pemFile),
  REDIS_KEY_FILE: v.optional(pemFile),
  REDIS_CHANNELS_URL: v.optional(redisUrl),
  SAOMA_CHANNELS_MEMORY_SHARE: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(1|1\.0+|0?\.\d+)$/, 'must be a share of the memory above 0 and up to 1, such as 0.8'),
      v.transform(Number),
      v.check((share) => share > 0, 'must be a share of the memory above 0 and up to 1, such as 0.8'),
    ),
    '0.8',
  ),
  SAOMA_REDIS_REPLICAS: v.optional(number(0, 10), '0'),
  SAOMA_REDIS_REPLICAS_MS: v.optional(number(1, 2_500), '500'),
  SAOMA_REDIS_PREFIX: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,32}$/, 'must be 1 to 32 of A-Z, a-z, 0-9, _ . -')),
    'saoma',
  ),
  SAOMA_EMPTY_REDIS: v.optional(v.picklist(['begin', 'refuse'], 'must be begin or refuse'), 'begin'),
  SAOMA_SECRET: secret,
  SAOMA_PREVIOUS_SECRET: v.optional(secret),
  SAOMA_APP_NAME: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64)), 'Saoma'),
  SAOMA_DEMO: v.optional(v.picklist(['true', 'false'], 'must be true or false'), 'false'),
  WECHAT_APPID: v.optional(v.string()),
  WECHAT_SECRET: v.optional(v.string()),
  WECHAT_APPS: v.optional(wechatApps, ''),
  WECHAT_LOGIN_TEMPLATE: v.optional(loginTemplate),
  WECHAT_API: v.optional(v.pipe(v.string(), v.url('must be a URL')), 'https://api.weixin.qq.com'),
  WECHAT_PAGE: v.optional(
    v.pipe(v.string(), v.regex(/^[^/?][^?]*$/, 'must be a page path without a leading / and without a query')),
    'pages/login/index',
  ),
  WECHAT_ENV_VERSION: v.optional(
    v.picklist(['release', 'trial', 'develop'], 'must be release, trial or develop'),
    'release',
  ),
  WECHAT_LINK: v.optional(v.picklist(['link', 'scheme', 'none'], 'must be link, scheme or none'), 'link'),
  SAOMA_CODES: v.optional(
    v.picklist(['fresh', 'pool', 'fresh-then-pool'], 'must be fresh, pool or fresh-then-pool'),
    'fresh',
  ),
  SAOMA_POOL_STORE: v.optional(codeStore),
  SAOMA_POOL_CDN: v.optional(publicPlace),
  SAOMA_POOL_ADDRESSING: v.optional(
    v.picklist(['path', 'virtual-hosted', 'domain'], 'must be path, virtual-hosted or domain'),
  ),
  SAOMA_POOL_LEASES: v.optional(number(1, 60), '20'),
  SAOMA_POOL_MIN: v.optional(number(1, 1e5), '100'),
  // The refill job reads the whole pool every hour. This many codes occupy Redis for a tenth of a second.
  SAOMA_POOL_MAX: v.optional(number(1, 1e5), '10000'),
  SAOMA_WEB_ROOT: v.optional(v.string()),
  SAOMA_TRUSTED_PROXIES: v.optional(
    v.pipe(list, v.array(cidr)),
    '127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7',
  ),
  SAOMA_ALLOWED_ORIGINS: v.optional(v.pipe(list, v.array(pageOrigin)), ''),
  SAOMA_WEB_NETWORKS: v.optional(v.pipe(list, v.array(cidr)), ''),
  SAOMA_LIMIT_CODES: v.optional(number(1, 1e6), '120'),
  SAOMA_LIMIT_REQUESTS: v.optional(number(1, 1e6), '1200'),
  SAOMA_LIMIT_DECISIONS: v.optional(number(1, 1e6), '60'),
  SAOMA_LIMIT_HANDSHAKES: v.optional(number(1, 1e6), '600'),
  SAOMA_API_KEYS: v.optional(apiKeys, ''),
  SAOMA_CLIENTS: v.optional(clients, ''),
  SAOMA_APPLICATION_NETWORKS: v.optional(v.pipe(list, v.array(privateNetwork)), ''),
  SAOMA_PHONE_ISSUERS: v.optional(phoneIssuers),
  SAOMA_CODE_OPENS: v.optional(v.picklist(['phone', 'app'], 'must be phone or app')),
  SAOMA_ANDROID_APPS: v.optional(androidApps, ''),
  SAOMA_IOS_APPS: v.optional(iosApps, ''),
  SAOMA_APP_INSTALL: v.optional(installLinks, ''),
  SAOMA_VERIFY: v.optional(verificationDemand, 'tap'),
  SAOMA_AUTH_URL: v.optional(webAddress),
  SAOMA_AUTH_JWKS: v.optional(keySource),
  SAOMA_AUTH_ISSUER: v.optional(v.string()),
  SAOMA_AUTH_AUDIENCE: v.optional(list),
  SAOMA_AUTH_CLAIMS: v.optional(claimNames),
  SAOMA_AUTH_ALGORITHMS: v.optional(algorithms),
  SAOMA_CHANNELS: v.optional(rules, ''),
  SAOMA_HOOK_URL: v.optional(webAddress),
  SAOMA_HOOK_SECRET: v.optional(hookSecret),
  SAOMA_ACCOUNT_URL: v.optional(webAddress),
  SAOMA_ACCOUNT_SECRET: v.optional(hookSecret),
  SAOMA_ACCOUNT_WHEN: v.optional(v.picklist(['birth', 'login'], 'must be birth or login'), 'birth'),
  SAOMA_ACCOUNT_CLAIMS: v.optional(v.pipe(list, v.array(ownClaim), v.maxLength(20, 'must have at most 20 names')), ''),
  SAOMA_LIMIT_EVENTS: v.optional(number(1, 1e6), '200'),
  SAOMA_LIMIT_KEY_EVENTS: v.optional(number(1, 1e6), '5000'),
  SAOMA_LIMIT_CHANNELS: v.optional(number(1, 1e5), '100'),
  SAOMA_LIMIT_BUFFER_BYTES: v.optional(number(65_536, 1e9), '1048576'),
  SAOMA_LIMIT_MESSAGE_BYTES: v.optional(number(64, 1_048_576), '32768'),
  SAOMA_LIMIT_PERSON_MESSAGES: v.optional(number(1, 1e9), '1200'),
  SAOMA_LIMIT_PERSON_BYTES: v.optional(number(1, 1e12), '2097152'),
  SAOMA_LIMIT_PERSON_BYTES_A_DAY: v.optional(number(1, 1e12), '67108864'),
  SAOMA_LIMIT_PERSON_CHANNELS: v.optional(number(1, 1e9), '200'),
  SAOMA_LIMIT_PERSON_FOLLOWS: v.optional(number(1, 1e6), '1000'),
  SAOMA_LIMIT_KEY_BYTES: v.optional(number(0, 1e12), '0'),
  SAOMA_LIMIT_CODES_CLUSTER: v.optional(number(1, 1e6), '5000'),
  SAOMA_LIMIT_BAD_PHONE_CODES: v.optional(number(1, 1e6), '60'),
  SAOMA_LIMIT_PHONE_CODES_CLUSTER: v.optional(number(1, 1e6), '6000'),
  SAOMA_LIMIT_DEMO_PEOPLE: v.optional(number(1, 1e6), '300'),
  SAOMA_AUDIT: v.optional(v.picklist(['on', 'off'], 'must be on or off'), 'on'),
  SAOMA_AUDIT_ENTRIES: v.optional(number(1_000, 1e7), '100000'),
  SAOMA_AUDIT_DAYS: v.optional(number(1, 3_650), '90'),
  SAOMA_ADMIN_API: v.optional(v.picklist(['internal', 'public'], 'must be internal or public'), 'internal'),
  SAOMA_SCAN_SECONDS: v.optional(number(1, 3_600), '120'),
  SAOMA_CONFIRM_SECONDS: v.optional(number(1, 3_600), '60'),
  SAOMA_REDEEM_SECONDS: v.optional(number(1, 3_600), '60'),
  SAOMA_SESSIONS_PER_PERSON: v.optional(number(1, 100), '100'),
  SAOMA_SESSIONS_PER_KIND: v.optional(sessionsPerKind, ''),
  SAOMA_DRAIN_DELAY_MS: v.optional(number(0, 600_000), '0'),
  SAOMA_DRAIN_WINDOW_MS: v.optional(number(0, 600_000), '10000'),
  SAOMA_DRAIN_DEADLINE_MS: v.optional(number(100, 3_600_000), '25000'),
  NODE_ENV: v.optional(v.string()),
  LOG_LEVEL: v.optional(v.picklist(levels, `must be one of ${levels.join(', ')}`), 'info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(webAddress),
  OTEL_EXPORTER_OTLP_PROTOCOL: v.optional(
    v.picklist(['http/json'], 'must be http/json: OTLP over HTTP, which collectors accept on port 4318'),
    'http/json',
  ),
  OTEL_SERVICE_NAME: v.optional(v.string(), 'saoma'),
  OTEL_TRACES_SAMPLER: v.optional(
    v.picklist(traceSamplers, `must be one of ${traceSamplers.join(', ')}`),
    'parentbased_always_on',
  ),
  OTEL_TRACES_SAMPLER_ARG: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(0|1|0?\.\d+|1\.0+)$/, 'must be a share from 0 to 1, such as 0.05'),
      v.transform(Number),
    ),
    '1',
  ),
})
export type Environment = v.InferOutput<typeof Environment>

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseRedisUrl } from '@saoma/redis'
import proxyAddr from 'proxy-addr'
import * as v from 'valibot'
import { type ApiKeyList, parseApiKeys } from './live/api-keys.ts'
import { parseRules, type Rule } from './live/rules.ts'

export interface Config {
  /** Public origin of the whole cluster, without a trailing slash. */
  origin: string
  nodeId: string
  host: string
  port: number
  internalPort: number
  redisUrl: string
  redisPrefix: string
  secrets: [string, ...string[]]
  appName: string
  demo: boolean
  wechat?: { appid: string; secret: string; api: string; page: string; envVersion: 'release' | 'trial' | 'develop' }
  webRoot?: string
  trustedProxies: string[]
  allowedOrigins: string[]
  live: {
    apiKeys: ApiKeyList
    /** Where tokens that are not ours are resolved. */
    authUrl?: string
    rules: readonly Rule[]
    /** Who is asked where a rule says so. */
    hook?: { url: string; secret: string }
  }
  limits: {
    codesPerMinute: number
    requestsPerMinute: number
    decisionsPerMinute: number
    handshakesPerMinute: number
    /** Events of one person's connection to the channels. */
    eventsPerTenSeconds: number
    /** Events of one backend's connection. */
    keyEventsPerTenSeconds: number
    /** Channels that one connection follows. */
    channels: number
    /** Bytes that may wait for one reader. */
    bufferBytes: number
    /** Bytes of the JSON of one message's data. */
    messageBytes: number
  }
  times: { scanMs: number; confirmMs: number; redeemMs: number }
  drainWindowMs: number
  logLevel: string
}

/** Every problem of the environment at once, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`The settings have ${problems.length} problem(s):\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** The one that docker-compose.yml has for the demo: everybody can read it. */
const PUBLIC_SECRET = 'a secret that is good for a demo and for nothing else'

const isLoopback = (host: string) => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)

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
const origin = v.pipe(
  v.string(),
  v.check(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    'must be an origin such as https://login.example.com',
  ),
)
const redisUrl = v.pipe(
  v.string(),
  v.check((text) => {
    try {
      parseRedisUrl(text)
      return true
    } catch {
      return false
    }
  }, 'must be of the form redis[s][+sentinel|+cluster]://[user:password@]host:port[,host:port][/path]'),
)
const cidr = v.pipe(
  v.string(),
  v.check((text) => {
    try {
      proxyAddr.compile([text])
      return true
    } catch {
      return false
    }
  }, 'must list addresses or networks such as 10.0.0.0/8'),
)
const secret = v.pipe(v.string(), v.minLength(32, 'must have at least 32 characters'))
const webAddress = v.pipe(
  v.string(),
  v.check((text) => {
    const { protocol = '', username } = URL.parse(text) ?? {}
    return /^https?:$/.test(protocol) && username === ''
  }, 'must be a URL such as https://shop.example.com/auth, without a user'),
)

/** A setting whose value is what `parse` reads, or the path of a file with that in it. */
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
const apiKeys = listing<ApiKeyList>((text, file) => ({
  value: { text, ...(file ? { file } : {}) },
  problems: parseApiKeys(text).problems,
}))
const rules = listing<readonly Rule[]>((text) => {
  const parsed = parseRules(text)
  return { value: parsed.rules, problems: parsed.problems }
})

const Environment = v.object({
  SAOMA_ORIGIN: origin,
  SAOMA_NODE_ID: v.optional(v.pipe(v.string(), v.regex(/^[a-z0-9]{1,16}$/, 'must be 1 to 16 of a-z and 0-9'))),
  HOST: v.optional(v.string(), '0.0.0.0'),
  PORT: v.optional(number(0, 65_535), '3000'),
  INTERNAL_PORT: v.optional(number(0, 65_535), '9090'),
  REDIS_URL: v.optional(redisUrl, 'redis://127.0.0.1:6379'),
  SAOMA_REDIS_PREFIX: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,32}$/, 'must be 1 to 32 of A-Z, a-z, 0-9, _ . -')),
    'saoma',
  ),
  SAOMA_SECRET: secret,
  SAOMA_PREVIOUS_SECRET: v.optional(secret),
  SAOMA_APP_NAME: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64)), 'Saoma'),
  SAOMA_DEMO: v.optional(v.picklist(['true', 'false'], 'must be true or false'), 'false'),
  WECHAT_APPID: v.optional(v.string()),
  WECHAT_SECRET: v.optional(v.string()),
  WECHAT_API: v.optional(v.pipe(v.string(), v.url('must be a URL')), 'https://api.weixin.qq.com'),
  WECHAT_PAGE: v.optional(
    v.pipe(v.string(), v.regex(/^[^/?][^?]*$/, 'must be a page path without a leading / and without a query')),
    'pages/login/index',
  ),
  WECHAT_ENV_VERSION: v.optional(
    v.picklist(['release', 'trial', 'develop'], 'must be release, trial or develop'),
    'release',
  ),
  SAOMA_WEB_ROOT: v.optional(v.string()),
  SAOMA_TRUSTED_PROXIES: v.optional(
    v.pipe(list, v.array(cidr)),
    '127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7',
  ),
  SAOMA_ALLOWED_ORIGINS: v.optional(v.pipe(list, v.array(origin)), ''),
  SAOMA_LIMIT_CODES: v.optional(number(1, 1e6), '120'),
  SAOMA_LIMIT_REQUESTS: v.optional(number(1, 1e6), '1200'),
  SAOMA_LIMIT_DECISIONS: v.optional(number(1, 1e6), '60'),
  SAOMA_LIMIT_HANDSHAKES: v.optional(number(1, 1e6), '600'),
  SAOMA_API_KEYS: v.optional(apiKeys, ''),
  SAOMA_AUTH_URL: v.optional(webAddress),
  SAOMA_CHANNELS: v.optional(rules, ''),
  SAOMA_HOOK_URL: v.optional(webAddress),
  SAOMA_HOOK_SECRET: v.optional(
    v.pipe(v.string(), v.regex(/^[\x20-\x7e]{16,}$/, 'must have at least 16 characters of ASCII')),
  ),
  SAOMA_LIMIT_EVENTS: v.optional(number(1, 1e6), '200'),
  SAOMA_LIMIT_KEY_EVENTS: v.optional(number(1, 1e6), '5000'),
  SAOMA_LIMIT_CHANNELS: v.optional(number(1, 1e5), '100'),
  SAOMA_LIMIT_BUFFER_BYTES: v.optional(number(65_536, 1e9), '1048576'),
  SAOMA_LIMIT_MESSAGE_BYTES: v.optional(number(64, 1_048_576), '32768'),
  SAOMA_SCAN_SECONDS: v.optional(number(1, 3_600), '120'),
  SAOMA_CONFIRM_SECONDS: v.optional(number(1, 3_600), '60'),
  SAOMA_REDEEM_SECONDS: v.optional(number(1, 3_600), '60'),
  SAOMA_DRAIN_WINDOW_MS: v.optional(number(0, 600_000), '10000'),
  NODE_ENV: v.optional(v.string()),
  LOG_LEVEL: v.optional(
    v.picklist(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be a pino level'),
    'info',
  ),
})
type Environment = v.InferOutput<typeof Environment>

/** Settings that are each well formed but do not go together. */
const contradictions = (env: Environment): string[] => {
  const problems: string[] = []
  const hasWechat = Boolean(env.WECHAT_APPID && env.WECHAT_SECRET)
  if (Boolean(env.WECHAT_APPID) !== Boolean(env.WECHAT_SECRET))
    problems.push('WECHAT_APPID and WECHAT_SECRET go together: set both or none')
  if (env.SAOMA_DEMO === 'true') {
    if (env.NODE_ENV === 'production')
      problems.push('SAOMA_DEMO lets anybody log in as anybody: it refuses to start with NODE_ENV=production')
    if (hasWechat && !isLoopback(new URL(env.WECHAT_API).hostname))
      problems.push('SAOMA_DEMO lets anybody log in as anybody: it refuses to start with WeChat credentials')
  } else if (env.SAOMA_SECRET === PUBLIC_SECRET) {
    problems.push('SAOMA_SECRET is the published one of the demo: make your own (openssl rand -base64 32)')
  } else if (!hasWechat && !env.SAOMA_AUTH_URL) {
    problems.push(
      'WECHAT_APPID and WECHAT_SECRET are needed (or SAOMA_AUTH_URL for channels alone, or SAOMA_DEMO=true to try things out)',
    )
  }
  if (Boolean(env.SAOMA_HOOK_URL) !== Boolean(env.SAOMA_HOOK_SECRET))
    problems.push('SAOMA_HOOK_URL and SAOMA_HOOK_SECRET go together: set both or none')
  if (!env.SAOMA_HOOK_URL && env.SAOMA_CHANNELS.some(({ follow, publish }) => follow === 'hook' || publish === 'hook'))
    problems.push('SAOMA_CHANNELS has a rule that asks the hook: set SAOMA_HOOK_URL')
  if (env.SAOMA_LIMIT_BUFFER_BYTES < env.SAOMA_LIMIT_MESSAGE_BYTES)
    problems.push('SAOMA_LIMIT_BUFFER_BYTES must not be less than SAOMA_LIMIT_MESSAGE_BYTES')
  return problems
}

/** The only reader of the environment. Throws ConfigError. */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config => {
  // An empty setting is one that compose files pass on without a value: the default applies.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = v.safeParse(Environment, given)
  if (!parsed.success) {
    const problems = parsed.issues.map((issue) => {
      const name = String(issue.path?.[0]?.key)
      return given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`
    })
    throw new ConfigError([...new Set(problems)])
  }
  const settings = parsed.output
  const problems = contradictions(settings)
  if (problems.length > 0) throw new ConfigError(problems)

  return {
    origin: settings.SAOMA_ORIGIN,
    nodeId: settings.SAOMA_NODE_ID ?? randomBytes(4).toString('hex'),
    host: settings.HOST,
    port: settings.PORT,
    internalPort: settings.INTERNAL_PORT,
    redisUrl: settings.REDIS_URL,
    redisPrefix: settings.SAOMA_REDIS_PREFIX,
    secrets: [settings.SAOMA_SECRET, ...(settings.SAOMA_PREVIOUS_SECRET ? [settings.SAOMA_PREVIOUS_SECRET] : [])],
    appName: settings.SAOMA_APP_NAME,
    demo: settings.SAOMA_DEMO === 'true',
    ...(settings.WECHAT_APPID && settings.WECHAT_SECRET
      ? {
          wechat: {
            appid: settings.WECHAT_APPID,
            secret: settings.WECHAT_SECRET,
            api: settings.WECHAT_API.replace(/\/$/, ''),
            page: settings.WECHAT_PAGE,
            envVersion: settings.WECHAT_ENV_VERSION,
          },
        }
      : {}),
    ...(settings.SAOMA_WEB_ROOT ? { webRoot: settings.SAOMA_WEB_ROOT } : {}),
    trustedProxies: settings.SAOMA_TRUSTED_PROXIES,
    allowedOrigins: settings.SAOMA_ALLOWED_ORIGINS,
    live: {
      apiKeys: settings.SAOMA_API_KEYS,
      rules: settings.SAOMA_CHANNELS,
      ...(settings.SAOMA_AUTH_URL ? { authUrl: settings.SAOMA_AUTH_URL } : {}),
      ...(settings.SAOMA_HOOK_URL && settings.SAOMA_HOOK_SECRET
        ? { hook: { url: settings.SAOMA_HOOK_URL, secret: settings.SAOMA_HOOK_SECRET } }
        : {}),
    },
    limits: {
      codesPerMinute: settings.SAOMA_LIMIT_CODES,
      requestsPerMinute: settings.SAOMA_LIMIT_REQUESTS,
      decisionsPerMinute: settings.SAOMA_LIMIT_DECISIONS,
      handshakesPerMinute: settings.SAOMA_LIMIT_HANDSHAKES,
      eventsPerTenSeconds: settings.SAOMA_LIMIT_EVENTS,
      keyEventsPerTenSeconds: settings.SAOMA_LIMIT_KEY_EVENTS,
      channels: settings.SAOMA_LIMIT_CHANNELS,
      bufferBytes: settings.SAOMA_LIMIT_BUFFER_BYTES,
      messageBytes: settings.SAOMA_LIMIT_MESSAGE_BYTES,
    },
    times: {
      scanMs: settings.SAOMA_SCAN_SECONDS * 1000,
      confirmMs: settings.SAOMA_CONFIRM_SECONDS * 1000,
      redeemMs: settings.SAOMA_REDEEM_SECONDS * 1000,
    },
    drainWindowMs: settings.SAOMA_DRAIN_WINDOW_MS,
    logLevel: settings.LOG_LEVEL,
  }
}

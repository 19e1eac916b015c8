import { randomBytes } from 'node:crypto'
import type { SessionLimits } from '@saoma/identity'
import { givenIn, readSettings, type VerificationDemand } from '@saoma/protocol'
import type { Addressing } from '@saoma/wechat'
import { signatureAlgorithms } from '../access/key-set.ts'
import type { AccessSettings } from '../access/open-access.ts'
import type { ListText } from '../access/reread-list.ts'
import type { Rule } from '../access/rules.ts'
import type { RedisSettings } from '../operate/open-redis.ts'
import type { TraceOptions } from '../operate/tracing/options.ts'
import { contradictions } from './contradictions.ts'
import { Environment } from './environment.ts'
import { DEFAULT_CLAIMS } from './jwks-settings.ts'
import type { LimitSettings } from './limit-settings.ts'
import type { LoginTemplate } from './login-template.ts'
import type { OwnApp } from './own-app.ts'
import { packedPages } from './packed-pages.ts'
import { readSettingFiles } from './setting-files.ts'
import type { WechatApp } from './wechat-apps.ts'

export interface Config extends RedisSettings {
  /** Public origin of the cluster, without a trailing slash. */
  origin: string
  nodeId: string
  host: string
  port: number
  internalPort: number
  /** Whether a node may begin a new cluster in an empty Redis. */
  mayBegin: boolean
  secrets: [string, ...string[]]
  appName: string
  demo: boolean
  wechat?: {
    appid: string
    secret: string
    api: string
    page: string
    envVersion: 'release' | 'trial' | 'develop'
    /** How the browser of a phone opens the mini-program. */
    link: 'link' | 'scheme' | 'none'
    /** Further mini-programs whose people log in. */
    others: readonly WechatApp[]
    /** The message that tells a person of a request to log in. Without it none is sent. */
    loginTemplate?: LoginTemplate
  }
  /**
   * Where the picture of a login comes from: WeChat draws it, it comes from the pool, or it comes from the
   * pool if WeChat fails.
   */
  codes: 'fresh' | 'pool' | 'fresh-then-pool'
  /** The reserve of codes that WeChat draws ahead of time. */
  pool?: {
    /** A folder, or `s3://bucket/prefix`. */
    store: string
    /** Public address from which browsers fetch the pictures of the store. */
    cdn?: string
    /** How a request names the bucket, if not in the default way of the endpoint's cloud. */
    addressing?: Addressing
    /** How many tickets one code is leased to during its life. */
    leases: number
    /** Least number of codes that nobody has seen. */
    min: number
    /** Most codes in the pool. */
    max: number
  }
  webRoot?: string
  trustedProxies: string[]
  allowedOrigins: string[]
  /** Networks from which the client `web` may begin a login. Empty: anywhere. */
  webNetworks: string[]
  live: AccessSettings & { rules: readonly Rule[] }
  /** The applications that log people in. */
  clients: ListText
  /** Private networks in which applications may be called. */
  applicationNetworks: string[]
  /** The issuers whose tokens the company's own apps exchange for those of a phone. */
  phoneIssuers?: ListText
  /** The company's own app, if there is one. */
  ownApp?: OwnApp
  /** What the picture of a login opens, if the browser does not ask for the other one. */
  codeOpens: 'phone' | 'app'
  /** What is demanded of a login on our own pages, and for applications that do not say it. */
  verify: VerificationDemand
  /** Who a person is. */
  accounts: {
    /** The business, if it is asked. */
    hook?: { url: string; secret: string; when: 'birth' | 'login' }
    /** Names of claims of the business's own. */
    ownClaims: readonly string[]
  }
  limits: LimitSettings
  /** The record of what happened: whether it is written, how many entries are kept, and for how long. */
  audit: { isOn: boolean; entries: number; keepMs: number }
  /** Where the administrators' routes are served: at the internal port, or at the public one as well. */
  adminApi: 'internal' | 'public'
  times: { scanMs: number; confirmMs: number; redeemMs: number }
  /** How many sessions a person may have. When one more begins, the oldest ends. */
  sessionLimits: SessionLimits
  /** How a node drains after SIGTERM. */
  drain: {
    /** Milliseconds during which the node only reports it at `/readyz`. */
    delayMs: number
    /** Milliseconds over which the node sends its clients to other nodes. */
    windowMs: number
    /** Milliseconds after which the process ends in any case. */
    deadlineMs: number
  }
  logLevel: string
  traces?: TraceOptions
}

/** All problems of the environment, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(
      `The settings have ${problems.length} problem(s):\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
      options,
    )
    this.problems = problems
  }
}

const DAY_MS = 86_400_000

/** What is said of the company's own app. Whoever names it anywhere has one. */
const ownAppIn = (settings: Environment): Pick<Config, 'phoneIssuers' | 'ownApp' | 'codeOpens'> => {
  const { SAOMA_PHONE_ISSUERS: given, SAOMA_CODE_OPENS: chosen, WECHAT_APPID: wechat } = settings
  // Where there is neither WeChat nor a demo phone, only the app can confirm.
  const codeOpens = chosen ?? (given && !wechat && settings.SAOMA_DEMO !== 'true' ? 'app' : 'phone')
  const app = {
    android: settings.SAOMA_ANDROID_APPS,
    ios: settings.SAOMA_IOS_APPS,
    install: settings.SAOMA_APP_INSTALL,
  }
  const hasApp = given !== undefined || codeOpens === 'app' || Object.values(app).some((all) => all.length > 0)
  return {
    ...(given ? { phoneIssuers: { text: given.text, ...(given.file ? { file: given.file } : {}) } } : {}),
    ...(hasApp ? { ownApp: app } : {}),
    codeOpens,
  }
}

/** The only reader of the environment. Throws ConfigError. */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config => {
  const { given, problems: unread } = readSettingFiles(givenIn(env), Object.keys(Environment.entries))
  const read = readSettings(Environment, given, unread)
  if (!read.ok) throw new ConfigError(read.problems)
  const settings = read.value
  const problems = contradictions(settings)
  if (problems.length > 0) throw new ConfigError(problems)
  const webRoot = settings.SAOMA_WEB_ROOT ?? packedPages()

  return {
    origin: settings.SAOMA_ORIGIN,
    nodeId: settings.SAOMA_NODE_ID ?? randomBytes(4).toString('hex'),
    host: settings.HOST,
    port: settings.PORT,
    internalPort: settings.INTERNAL_PORT,
    redisUrl: settings.REDIS_URL,
    redisCertificates: {
      ...(settings.REDIS_CA_FILE ? { ca: settings.REDIS_CA_FILE } : {}),
      ...(settings.REDIS_CERT_FILE && settings.REDIS_KEY_FILE
        ? { cert: settings.REDIS_CERT_FILE, key: settings.REDIS_KEY_FILE }
        : {}),
    },
    ...(settings.REDIS_CHANNELS_URL && settings.REDIS_CHANNELS_URL !== settings.REDIS_URL
      ? { redisChannelsUrl: settings.REDIS_CHANNELS_URL }
      : {}),
    channelsMemoryShare: settings.SAOMA_CHANNELS_MEMORY_SHARE,
    redisPrefix: settings.SAOMA_REDIS_PREFIX,
    mayBegin: settings.SAOMA_EMPTY_REDIS === 'begin',
    replicas: { count: settings.SAOMA_REDIS_REPLICAS, timeoutMs: settings.SAOMA_REDIS_REPLICAS_MS },
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
            link: settings.WECHAT_LINK,
            others: settings.WECHAT_APPS,
            ...(settings.WECHAT_LOGIN_TEMPLATE ? { loginTemplate: settings.WECHAT_LOGIN_TEMPLATE } : {}),
          },
        }
      : {}),
    codes: settings.SAOMA_CODES,
    ...(settings.SAOMA_POOL_STORE
      ? {
          pool: {
            store: settings.SAOMA_POOL_STORE,
            ...(settings.SAOMA_POOL_CDN ? { cdn: settings.SAOMA_POOL_CDN.replace(/\/+$/, '') } : {}),
            ...(settings.SAOMA_POOL_ADDRESSING ? { addressing: settings.SAOMA_POOL_ADDRESSING } : {}),
            leases: settings.SAOMA_POOL_LEASES,
            min: settings.SAOMA_POOL_MIN,
            max: settings.SAOMA_POOL_MAX,
          },
        }
      : {}),
    ...(webRoot ? { webRoot } : {}),
    trustedProxies: settings.SAOMA_TRUSTED_PROXIES,
    allowedOrigins: settings.SAOMA_ALLOWED_ORIGINS,
    webNetworks: settings.SAOMA_WEB_NETWORKS,
    live: {
      apiKeys: settings.SAOMA_API_KEYS,
      rules: settings.SAOMA_CHANNELS,
      ...(settings.SAOMA_AUTH_URL ? { authUrl: settings.SAOMA_AUTH_URL } : {}),
      ...(settings.SAOMA_AUTH_JWKS && settings.SAOMA_AUTH_ISSUER && settings.SAOMA_AUTH_AUDIENCE
        ? {
            signed: {
              source: settings.SAOMA_AUTH_JWKS,
              issuer: settings.SAOMA_AUTH_ISSUER,
              audiences: settings.SAOMA_AUTH_AUDIENCE,
              claims: settings.SAOMA_AUTH_CLAIMS ?? DEFAULT_CLAIMS,
              algorithms: settings.SAOMA_AUTH_ALGORITHMS ?? signatureAlgorithms,
            },
          }
        : {}),
      ...(settings.SAOMA_HOOK_URL && settings.SAOMA_HOOK_SECRET
        ? { hook: { url: settings.SAOMA_HOOK_URL, secret: settings.SAOMA_HOOK_SECRET } }
        : {}),
    },
    clients: settings.SAOMA_CLIENTS,
    applicationNetworks: settings.SAOMA_APPLICATION_NETWORKS,
    ...ownAppIn(settings),
    verify: settings.SAOMA_VERIFY,
    accounts: {
      ...(settings.SAOMA_ACCOUNT_URL && settings.SAOMA_ACCOUNT_SECRET
        ? {
            hook: {
              url: settings.SAOMA_ACCOUNT_URL,
              secret: settings.SAOMA_ACCOUNT_SECRET,
              when: settings.SAOMA_ACCOUNT_WHEN,
            },
          }
        : {}),
      ownClaims: settings.SAOMA_ACCOUNT_CLAIMS,
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
      personMessages: settings.SAOMA_LIMIT_PERSON_MESSAGES,
      personBytes: settings.SAOMA_LIMIT_PERSON_BYTES,
      personBytesADay: settings.SAOMA_LIMIT_PERSON_BYTES_A_DAY,
      personChannels: settings.SAOMA_LIMIT_PERSON_CHANNELS,
      personFollows: settings.SAOMA_LIMIT_PERSON_FOLLOWS,
      keyBytes: settings.SAOMA_LIMIT_KEY_BYTES,
      codesInCluster: settings.SAOMA_LIMIT_CODES_CLUSTER,
      badPhoneCodes: settings.SAOMA_LIMIT_BAD_PHONE_CODES,
      phoneCodesInCluster: settings.SAOMA_LIMIT_PHONE_CODES_CLUSTER,
      demoPeople: settings.SAOMA_LIMIT_DEMO_PEOPLE,
    },
    audit: {
      isOn: settings.SAOMA_AUDIT === 'on',
      entries: settings.SAOMA_AUDIT_ENTRIES,
      keepMs: settings.SAOMA_AUDIT_DAYS * DAY_MS,
    },
    adminApi: settings.SAOMA_ADMIN_API,
    times: {
      scanMs: settings.SAOMA_SCAN_SECONDS * 1000,
      confirmMs: settings.SAOMA_CONFIRM_SECONDS * 1000,
      redeemMs: settings.SAOMA_REDEEM_SECONDS * 1000,
    },
    sessionLimits: { most: settings.SAOMA_SESSIONS_PER_PERSON, ofKind: settings.SAOMA_SESSIONS_PER_KIND },
    drain: {
      delayMs: settings.SAOMA_DRAIN_DELAY_MS,
      windowMs: settings.SAOMA_DRAIN_WINDOW_MS,
      deadlineMs: settings.SAOMA_DRAIN_DEADLINE_MS,
    },
    logLevel: settings.LOG_LEVEL,
    ...(settings.OTEL_EXPORTER_OTLP_ENDPOINT
      ? {
          traces: {
            url: `${settings.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, '')}/v1/traces`,
            service: settings.OTEL_SERVICE_NAME,
            sampler: settings.OTEL_TRACES_SAMPLER,
            ratio: settings.OTEL_TRACES_SAMPLER_ARG,
          },
        }
      : {}),
  }
}

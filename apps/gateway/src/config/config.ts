import { randomBytes } from 'node:crypto'
import type { Addressing } from '@saoma/wechat'
import * as v from 'valibot'
import type { AccessSettings } from '../access/open-access.ts'
import type { Rule } from '../access/rules.ts'
import type { RedisSettings } from '../operate/open-redis.ts'
import type { TraceOptions } from '../operate/tracing/options.ts'
import { contradictions } from './contradictions.ts'
import { Environment } from './environment.ts'
import { readSettingFiles } from './setting-files.ts'

export interface Config extends RedisSettings {
  /** Public origin of the whole cluster, without a trailing slash. */
  origin: string
  nodeId: string
  host: string
  port: number
  internalPort: number
  /** Whether a cluster may begin anew where Redis has nothing of it. */
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
    /** How a phone's browser opens the mini-program. */
    link: 'link' | 'scheme' | 'none'
  }
  /**
   * Where the picture of a login comes from: WeChat draws it, or it was drawn before, or the second when the
   * first fails.
   */
  codes: 'fresh' | 'pool' | 'fresh-then-pool'
  /** Codes that are drawn before anybody asks for them. */
  pool?: {
    /** A folder, or `s3://bucket/prefix`. */
    store: string
    /** Where browsers fetch what lies in the store. */
    cdn?: string
    /** Where a request names the bucket, if not where the cloud of the endpoint takes it. */
    addressing?: Addressing
    /** Tickets that one code is leased to in its life. */
    leases: number
    /** Codes that nobody has seen, at least. */
    min: number
    /** Codes in all. */
    max: number
  }
  webRoot?: string
  trustedProxies: string[]
  allowedOrigins: string[]
  live: AccessSettings & { rules: readonly Rule[] }
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
    /** Messages of one person in a minute, on all nodes. */
    personMessages: number
    /** Bytes of those, and of one person's kept messages in a day. */
    personBytes: number
    personBytesADay: number
    /** Channels that one person begins in a day, by the first message there ever was. */
    personChannels: number
    /** Subscriptions of one person at the same time, on all nodes. */
    personFollows: number
    /** Bytes that one API key publishes in a minute, on all nodes; 0 is no limit. */
    keyBytes: number
    /** Codes of all browsers in a minute, on all nodes. */
    codesInCluster: number
    /** `wx.login` codes of one network that WeChat refused, in ten minutes. */
    badPhoneCodes: number
    /** `wx.login` codes that WeChat is asked about in a minute, by all nodes. */
    phoneCodesInCluster: number
    /** Demo people that one network makes in an hour. */
    demoPeople: number
  }
  times: { scanMs: number; confirmMs: number; redeemMs: number }
  /** How a node goes away after SIGTERM. */
  drain: {
    /** Milliseconds in which it only says so at `/readyz`. */
    delayMs: number
    /** Milliseconds over which it sends its clients elsewhere. */
    windowMs: number
    /** Milliseconds after which it ends in any case. */
    deadlineMs: number
  }
  logLevel: string
  traces?: TraceOptions
}

/** Every problem of the environment at once, one line each. */
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

/** The only reader of the environment. Throws ConfigError. */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config => {
  // An empty setting is one that compose files pass on without a value: the default applies.
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const { given, problems: unread } = readSettingFiles(set, Object.keys(Environment.entries))
  const parsed = v.safeParse(Environment, given)
  if (!parsed.success || unread.size > 0) {
    const wrong = (parsed.issues ?? []).map((issue) => {
      const name = String(issue.path?.[0]?.key)
      return unread.get(name) ?? (given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`)
    })
    throw new ConfigError([...new Set([...unread.values(), ...wrong])])
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
    times: {
      scanMs: settings.SAOMA_SCAN_SECONDS * 1000,
      confirmMs: settings.SAOMA_CONFIRM_SECONDS * 1000,
      redeemMs: settings.SAOMA_REDEEM_SECONDS * 1000,
    },
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

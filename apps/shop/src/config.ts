import { randomBytes } from 'node:crypto'
import { givenIn, readSettings } from '@saoma/protocol'
import * as v from 'valibot'

export interface Config {
  /** Public origin of Saoma, the issuer in its tokens. */
  origin: string
  /** Address at which this process reaches Saoma. */
  saomaUrl: string
  apiKey: string
  /** The secret with which Saoma authenticates to the hook. */
  hookSecret: string
  host: string
  port: number
  /** File of the database. */
  database: string
  /** Shared with the courier, which signs its webhooks with it. */
  courierSecret: string
  /** Milliseconds that the simulated courier takes for a quote. */
  courierMs: number
  logLevel: string
}

/** All problems of the environment, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const MIN_SECRET = 16

const origin = v.pipe(
  v.string(),
  v.check(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    'must be an origin such as https://login.example.com',
  ),
)
const secret = v.pipe(v.string(), v.minLength(MIN_SECRET, `must have at least ${MIN_SECRET} characters`))
const number = (min: number, max: number) =>
  v.pipe(v.string(), v.regex(/^\d+$/, 'must be a whole number'), v.transform(Number), v.minValue(min), v.maxValue(max))

const Environment = v.object({
  SAOMA_ORIGIN: origin,
  SAOMA_URL: v.optional(origin),
  SAOMA_API_KEY: v.pipe(v.string(), v.regex(/^saoma_[A-Za-z0-9-]+_[A-Za-z0-9_-]{43}$/, 'must be a key of Saoma')),
  HOOK_SECRET: secret,
  HOST: v.optional(v.string(), '0.0.0.0'),
  PORT: v.optional(number(0, 65_535), '4200'),
  SHOP_DATABASE: v.optional(v.string(), 'shop.db'),
  SHOP_COURIER_SECRET: v.optional(secret),
  SHOP_COURIER_MS: v.optional(number(0, 3_600_000), '6000'),
  LOG_LEVEL: v.optional(
    v.picklist(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be a pino level'),
    'info',
  ),
})

/** The only reader of the environment. Throws ConfigError. */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config => {
  const read = readSettings(Environment, givenIn(env))
  if (!read.ok)
    throw new ConfigError(`The settings of the shop:\n${read.problems.map((line) => `  ${line}`).join('\n')}`)
  const settings = read.value
  return {
    origin: settings.SAOMA_ORIGIN,
    saomaUrl: settings.SAOMA_URL ?? settings.SAOMA_ORIGIN,
    apiKey: settings.SAOMA_API_KEY,
    hookSecret: settings.HOOK_SECRET,
    host: settings.HOST,
    port: settings.PORT,
    database: settings.SHOP_DATABASE,
    // The courier of this demo runs in the same process, so a random secret is enough.
    courierSecret: settings.SHOP_COURIER_SECRET ?? randomBytes(32).toString('base64url'),
    courierMs: settings.SHOP_COURIER_MS,
    logLevel: settings.LOG_LEVEL,
  }
}

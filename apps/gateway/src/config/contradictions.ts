import { AFTER_WINDOW_MS } from './drain-times.ts'
import type { Environment } from './environment.ts'
import { isLoopback } from './origins.ts'

/** The secrets of the demo in docker-compose.yml. Everybody can read them. */
export const published = {
  secret: 'a secret that is good for a demo and for nothing else',
  keySha256: 'a63ccb762a5cea07f20bf35052f292c6aa1510121c622e283f8a4691024b6401',
  hookSecret: 'a hook secret that is good for a demo and for nothing else',
}

/** Contradictions between the settings of the pool. */
const poolContradictions = (env: Environment): string[] => {
  const problems: string[] = []
  if (env.SAOMA_CODES !== 'fresh') {
    if (env.SAOMA_DEMO === 'true')
      problems.push(`SAOMA_CODES=${env.SAOMA_CODES} is not for SAOMA_DEMO, whose codes cost nothing to draw`)
    else if (!env.WECHAT_APPID || !env.WECHAT_SECRET)
      problems.push(`SAOMA_CODES=${env.SAOMA_CODES} needs WECHAT_APPID and WECHAT_SECRET: WeChat draws the codes`)
    if (!env.SAOMA_POOL_STORE)
      problems.push(`SAOMA_CODES=${env.SAOMA_CODES} needs a place for the pictures: set SAOMA_POOL_STORE`)
  }
  if (env.SAOMA_POOL_CDN && !env.SAOMA_POOL_STORE)
    problems.push('SAOMA_POOL_CDN says where SAOMA_POOL_STORE is published: set both or none')
  if (env.SAOMA_POOL_ADDRESSING && !env.SAOMA_POOL_STORE?.startsWith('s3://'))
    problems.push('SAOMA_POOL_ADDRESSING is about a bucket: SAOMA_POOL_STORE must be s3://bucket/prefix')
  if (env.SAOMA_POOL_CDN?.startsWith('http:') && env.SAOMA_ORIGIN.startsWith('https:'))
    problems.push('SAOMA_POOL_CDN must be https, as SAOMA_ORIGIN is: browsers block other pictures on an https page')
  if (env.SAOMA_POOL_MIN > env.SAOMA_POOL_MAX) problems.push('SAOMA_POOL_MIN must not be greater than SAOMA_POOL_MAX')
  return problems
}

/** Contradictions between the settings of Redis. */
const redisContradictions = (env: Environment): string[] => {
  const problems: string[] = []
  if (Boolean(env.REDIS_CERT_FILE) !== Boolean(env.REDIS_KEY_FILE))
    problems.push('REDIS_CERT_FILE and REDIS_KEY_FILE go together: set both or none')
  const urls = [env.REDIS_URL, env.REDIS_CHANNELS_URL ?? '']
  if ((env.REDIS_CA_FILE || env.REDIS_CERT_FILE) && !urls.some((url) => url.startsWith('rediss')))
    problems.push(
      'REDIS_CA_FILE and REDIS_CERT_FILE are for TLS, but neither REDIS_URL nor REDIS_CHANNELS_URL begins with rediss',
    )
  return problems
}

/** Contradictions between the settings of tokens that the business signs. */
const jwksContradictions = (env: Environment): string[] => {
  if (!env.SAOMA_AUTH_JWKS)
    return (
      ['SAOMA_AUTH_ISSUER', 'SAOMA_AUTH_AUDIENCE', 'SAOMA_AUTH_CLAIMS', 'SAOMA_AUTH_ALGORITHMS'] as const
    ).flatMap((name) => (env[name] ? [`${name} is about the tokens of SAOMA_AUTH_JWKS, which is not set`] : []))
  const problems: string[] = []
  if (!env.SAOMA_AUTH_ISSUER || !env.SAOMA_AUTH_AUDIENCE?.length)
    problems.push(
      'SAOMA_AUTH_JWKS needs SAOMA_AUTH_ISSUER and SAOMA_AUTH_AUDIENCE: otherwise tokens for others would be taken',
    )
  if (env.SAOMA_AUTH_ISSUER === `${env.SAOMA_ORIGIN}/oidc`)
    problems.push('SAOMA_AUTH_ISSUER is the issuer of this cluster, which verifies its own tokens by itself')
  return problems
}

/** Contradictions between the settings of the company's own app. */
const appContradictions = (env: Environment): string[] => {
  const problems: string[] = []
  if (env.SAOMA_PHONE_ISSUERS?.issuers.some(({ issuer }) => issuer === `${env.SAOMA_ORIGIN}/oidc`))
    problems.push('SAOMA_PHONE_ISSUERS has the issuer of this cluster, whose tokens are no tokens of an app')
  if (env.SAOMA_CODE_OPENS === 'app' && !env.SAOMA_PHONE_ISSUERS && env.SAOMA_DEMO !== 'true')
    problems.push('SAOMA_CODE_OPENS=app needs SAOMA_PHONE_ISSUERS: otherwise no app could confirm a login')
  return problems
}

/** Finds settings that are valid alone but contradict each other. */
export const contradictions = (env: Environment): string[] => {
  const problems: string[] = []
  const hasWechat = Boolean(env.WECHAT_APPID && env.WECHAT_SECRET)
  if (Boolean(env.WECHAT_APPID) !== Boolean(env.WECHAT_SECRET))
    problems.push('WECHAT_APPID and WECHAT_SECRET go together: set both or none')
  if (env.WECHAT_APPS.length > 0 && !env.WECHAT_APPID)
    problems.push('WECHAT_APPS has further mini-programs: WECHAT_APPID and WECHAT_SECRET are those of the first one')
  if (env.WECHAT_APPS.some(({ appid }) => appid === env.WECHAT_APPID))
    problems.push('WECHAT_APPS has the appid of WECHAT_APPID: it is for further mini-programs')
  if (env.WECHAT_LOGIN_TEMPLATE && !env.WECHAT_APPID)
    problems.push('WECHAT_LOGIN_TEMPLATE is of no use without WECHAT_APPID and WECHAT_SECRET')
  if (env.SAOMA_DEMO === 'true') {
    if (env.NODE_ENV === 'production')
      problems.push('SAOMA_DEMO lets anybody log in as anybody: it refuses to start with NODE_ENV=production')
    if (hasWechat && !isLoopback(new URL(env.WECHAT_API).hostname))
      problems.push('SAOMA_DEMO lets anybody log in as anybody: it refuses to start with WeChat credentials')
  } else if (env.SAOMA_SECRET === published.secret) {
    problems.push('SAOMA_SECRET is the published secret of the demo: make your own (openssl rand -base64 32)')
  } else if (!hasWechat && !env.SAOMA_PHONE_ISSUERS && !env.SAOMA_AUTH_URL && !env.SAOMA_AUTH_JWKS) {
    problems.push(
      'WECHAT_APPID and WECHAT_SECRET are needed (or SAOMA_PHONE_ISSUERS for an app of your own, or SAOMA_AUTH_URL or SAOMA_AUTH_JWKS for channels alone, or SAOMA_DEMO=true to try things out)',
    )
  }
  if (env.SAOMA_DEMO !== 'true') {
    if (env.SAOMA_API_KEYS?.text.toLowerCase().includes(published.keySha256))
      problems.push(
        'SAOMA_API_KEYS has the published key of the demo: make your own (saoma key create; in a clone npm run saoma -- key create)',
      )
    if (env.SAOMA_HOOK_SECRET === published.hookSecret)
      problems.push('SAOMA_HOOK_SECRET is the published secret of the demo: make your own (openssl rand -base64 32)')
  }
  if (Boolean(env.SAOMA_HOOK_URL) !== Boolean(env.SAOMA_HOOK_SECRET))
    problems.push('SAOMA_HOOK_URL and SAOMA_HOOK_SECRET go together: set both or none')
  if (Boolean(env.SAOMA_ACCOUNT_URL) !== Boolean(env.SAOMA_ACCOUNT_SECRET))
    problems.push('SAOMA_ACCOUNT_URL and SAOMA_ACCOUNT_SECRET go together: set both or none')
  if (env.SAOMA_ACCOUNT_WHEN === 'login' && !env.SAOMA_ACCOUNT_URL)
    problems.push('SAOMA_ACCOUNT_WHEN says when SAOMA_ACCOUNT_URL is asked: set SAOMA_ACCOUNT_URL')
  if (!env.SAOMA_HOOK_URL && env.SAOMA_CHANNELS.some(({ follow, publish }) => follow === 'hook' || publish === 'hook'))
    problems.push('SAOMA_CHANNELS has a rule with the value hook: set SAOMA_HOOK_URL')
  const largest = env.SAOMA_LIMIT_MESSAGE_BYTES + 1_024
  for (const name of ['SAOMA_LIMIT_PERSON_BYTES', 'SAOMA_LIMIT_PERSON_BYTES_A_DAY', 'SAOMA_LIMIT_KEY_BYTES'] as const)
    if (env[name] < largest && !(name === 'SAOMA_LIMIT_KEY_BYTES' && env[name] === 0))
      problems.push(`${name} must be at least ${largest}: one message of SAOMA_LIMIT_MESSAGE_BYTES has to fit`)
  if (env.SAOMA_LIMIT_BUFFER_BYTES < env.SAOMA_LIMIT_MESSAGE_BYTES)
    problems.push('SAOMA_LIMIT_BUFFER_BYTES must not be less than SAOMA_LIMIT_MESSAGE_BYTES')
  const least = env.SAOMA_DRAIN_DELAY_MS + env.SAOMA_DRAIN_WINDOW_MS + AFTER_WINDOW_MS
  if (env.SAOMA_DRAIN_DEADLINE_MS < least)
    problems.push(
      `SAOMA_DRAIN_DEADLINE_MS must be at least ${least}: SAOMA_DRAIN_DELAY_MS, SAOMA_DRAIN_WINDOW_MS and ${AFTER_WINDOW_MS} for what follows`,
    )
  return [
    ...problems,
    ...appContradictions(env),
    ...jwksContradictions(env),
    ...redisContradictions(env),
    ...poolContradictions(env),
  ]
}

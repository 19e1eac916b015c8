import { createChannels } from '@saoma/channels'
import { createIdentity, type IdentityOptions, isVoid } from '@saoma/identity'
import { userChannel } from '@saoma/protocol'
import { join } from '@saoma/redis'
import { createTickets } from '@saoma/tickets'
import { createWechat } from '@saoma/wechat'
import { openCodes } from './codes/open-codes.ts'
import { ConfigError, readConfig } from './config.ts'
import { createEnding, type Stop } from './ending.ts'
import { createGateway } from './gateway.ts'
import { openBuilds } from './http/builds.ts'
import { openLink } from './http/link.ts'
import { createInternal } from './internal.ts'
import { createLimits } from './limits.ts'
import { listen } from './listen.ts'
import { createAllowance } from './live/allowance.ts'
import { createApiKeys } from './live/api-keys.ts'
import { createAttendance } from './live/attendance.ts'
import { createAuthenticate } from './live/authenticate.ts'
import { createBusinessTokens } from './live/business-tokens.ts'
import { createHook } from './live/hook.ts'
import { createLive } from './live/live.ts'
import { createPolicy } from './live/policy.ts'
import { createRules } from './live/rules.ts'
import { createLog, rarely } from './log.ts'
import { createMetrics } from './metrics.ts'
import { misspelled } from './misspelled.ts'
import { openRedis, placeOf } from './open-redis.ts'
import { watchOrigin } from './origin-watch.ts'
import { createOrigins, isLoopback } from './origins.ts'
import { createPatience, heardItself } from './patience.ts'
import { createRecognise } from './recognise.ts'
import { openTrace } from './trace.ts'
import { version } from './version.ts'
import { describeUserAgent } from './visitor.ts'

/** What may happen in thousands of channels at once gets one line of the log in this time. */
const QUIET_MS = 10_000

const ending = createEnding((code) => process.exit(code))
process.on('uncaughtException', ending.surprise)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, ending.signal)

const start = async (): Promise<Stop> => {
  const config = readConfig(process.env)
  const log = createLog({ level: config.logLevel, node: config.nodeId })
  ending.log = log
  for (const { name, nearest } of misspelled(process.env))
    log.warn({ event: 'settings', name, nearest }, `${name} is no setting${nearest ? `: is ${nearest} meant?` : ''}`)
  const metrics = createMetrics()
  metrics.node.set({ node: config.nodeId, version }, 1)
  process.on('unhandledRejection', (error) =>
    log.error({ err: error, event: 'unhandledRejection' }, 'a rejection nobody waited for'),
  )

  // Before anything is waited for: whoever asks hears what it is.
  const internal = createInternal(metrics)
  const internalPort = await listen(internal.server, {
    name: 'INTERNAL_PORT',
    port: config.internalPort,
    host: config.host,
  })
  const patience = createPatience((reason, isTime) => {
    const sentence = `${reason}. The node waits for it: REDIS_URL names ${placeOf(config.redisUrl)}`
    internal.waitsFor(sentence)
    if (isTime) log.error({ event: 'waiting', internalPort }, sentence)
  })
  ending.stop = async (why, code) => {
    log.info({ event: 'stopped', signal: why }, 'before it had started')
    process.exit(code)
  }

  const trace = await openTrace(config, log)
  const opened = await openRedis(config, { metrics, log, patience })
  metrics.channelsShare.set(config.channelsMemoryShare)
  const redis = opened.logins
  const membership = await patience.until(() =>
    join(redis, {
      nodeId: config.nodeId,
      onConflict: rarely(QUIET_MS, (other: string) =>
        log.error({ event: 'node-id', other }, 'another node has this SAOMA_NODE_ID too: end one of them'),
      ),
    }),
  )
  const limits = createLimits(redis, config.limits, metrics)
  const tickets = createTickets(redis, config.times)
  const rules = createRules(config.live.rules)
  const channelsFailed = rarely(QUIET_MS, (error: unknown, times) =>
    log.error({ err: error, times }, 'channels: something failed and is tried again'),
  )
  // A channel's name says who talks with whom: it is told at debug only.
  const channelsMended = {
    refilled: rarely(QUIET_MS, (_, times) => log.info({ event: 'channels', kind: 'refilled', times })),
    lost: rarely(QUIET_MS, (_, times) => log.info({ event: 'channels', kind: 'lost', times })),
  }
  const channels = createChannels(opened.channels, {
    nodeId: config.nodeId,
    retention: rules.retention,
    announces: rules.announces,
    onEvent: (event) => {
      if (event.kind === 'error') return channelsFailed(event.error)
      if (event.kind === 'refilled' || event.kind === 'lost') {
        channelsMended[event.kind](event)
        log.debug({ event: 'channels', ...event })
      } else if (event.kind === 'resynced') {
        // While slots move this comes again and again; the line `resync` sums it up.
        log.debug({ event: 'channels', ...event })
      } else {
        log.info({ event: 'channels', ...event })
      }
      if (event.kind === 'refilled') metrics.refilled.inc(event.messages)
      if (event.kind === 'lost') metrics.lost.inc()
      if (event.kind === 'swept') metrics.swept.inc()
    },
  })
  const wechat =
    config.wechat &&
    createWechat(redis, {
      ...config.wechat,
      onEvent: (event) => {
        metrics.wechat.inc({ event: event.kind })
        if ('ms' in event) metrics.wechatSeconds.observe({ api: event.api }, event.ms / 1_000)
      },
    })
  /** Tells a person's other pages and phone to read the list of logins again. They read it also without: a loss does no harm. */
  const tellLogins = (sub: string, change: 'began' | 'ended'): void => {
    channels
      .publish({ channel: userChannel(sub), event: 'session', data: { change }, volatile: true })
      .catch((error: unknown) => log.warn({ err: error, change }, 'a person’s devices could not be told of a session'))
  }
  const identityOptions: IdentityOptions = {
    origin: config.origin,
    appName: config.appName,
    codeSeconds: tickets.times.scanMs / 1000,
    secrets: config.secrets,
    admits: createOrigins(config).admits,
    describe: (ctx) => ({ ip: ctx.ip, ...describeUserAgent(ctx.get('User-Agent')) }),
    recognise: createRecognise({
      log,
      limits,
      demo: config.demo,
      ...(wechat && config.wechat ? { wechat, appid: config.wechat.appid } : {}),
    }),
    onSessionBegan: ({ sub }) => tellLogins(sub, 'began'),
    onRefreshRepeated: () => metrics.refreshRepeated.inc(),
    onRefreshLimited: () => metrics.limited.inc({ what: 'refreshes' }),
    onSessionEnded: async ({ sub, sid }) => {
      await channels.end(sub, sid)
      tellLogins(sub, 'ended')
    },
    onSessionEndError: (error) => log.error({ err: error }, 'the end of a session could not be told to the nodes'),
    onKeysError: rarely(QUIET_MS, (error: unknown, times) =>
      log.error({ err: error, times }, 'the signing keys could not be read again'),
    ),
    // A refusal is part of the request's own log line; a failure needs its stack.
    onError: (ctx, error) => {
      ctx.state.code = error.message
      // The detail is for us: the client is not told why its grant is no good.
      const { error_description: told, error_detail: detail } = error as Error & {
        [word in 'error_description' | 'error_detail']?: unknown
      }
      const reason = [told, detail].filter((text) => typeof text === 'string').join(': ')
      if (reason) ctx.state.reason = reason.slice(0, 200)
      if (ctx.status >= 500) log.error({ err: error, request: ctx.state.requestId }, 'OAuth request failed')
    },
  }
  if (await patience.until(() => isVoid(redis))) {
    const empty = `Redis has nothing of this cluster (${placeOf(config.redisUrl)}, SAOMA_REDIS_PREFIX ${config.redisPrefix})`
    if (!config.mayBegin)
      throw new ConfigError([
        `SAOMA_EMPTY_REDIS is refuse, and ${empty}: restore its backup, as docs/operate.md says. To begin anew set begin`,
      ])
    log.warn(
      { event: 'empty' },
      `${empty}: it begins anew, and everybody gets a new id. Should there have been a backup?`,
    )
  }
  const identity = await patience.until(() => createIdentity({ redis, tickets }, identityOptions))
  const apiKeys = createApiKeys(config.live.apiKeys, {
    onProblem: (problems) =>
      log.error({ event: 'api-keys', problems }, 'SAOMA_API_KEYS: the keys read before stay good'),
  })
  const businessTokens = config.live.authUrl ? createBusinessTokens(config.live.authUrl, log) : undefined
  const hook = config.live.hook && createHook(config.live.hook, log)
  const { authenticate, stillValid } = createAuthenticate({
    apiKeys,
    identity,
    channels,
    ...(businessTokens ? { businessTokens } : {}),
  })
  const policy = createPolicy({ rules, ...(hook ? { hook } : {}) })
  const allowance = createAllowance({ redis: opened.channels, metrics }, config)
  const live = createLive(
    { channels, policy, allowance, hasRoom: opened.room.hasRoom },
    {
      maxDataBytes: config.limits.messageBytes,
      onPublish: (result, seconds) => metrics.published.observe({ result }, seconds),
    },
  )
  const attendance = createAttendance({
    channels,
    keyRing: apiKeys,
    stillValid,
    subscriber: opened.channels.subscriber,
    ...(opened.isApart ? { loginsSubscriber: redis.subscriber } : {}),
    log,
  })
  const codes = await patience.until(() => openCodes({ redis, ...(wechat ? { wechat } : {}), metrics, log }, config))
  const { picture, pool } = codes
  const link = openLink({ ...(wechat ? { wechat } : {}), log }, config)
  const builds =
    config.webRoot === undefined
      ? undefined
      : await openBuilds(redis, {
          root: config.webRoot,
          secrets: config.secrets,
          onError: (error) => log.warn({ err: error, event: 'pages' }, 'other nodes do not get the files of the pages'),
        })
  const gateway = createGateway(
    {
      redis,
      ...(opened.isApart ? { channelsRedis: opened.channels } : {}),
      room: opened.room,
      limits,
      tickets,
      identity,
      channels,
      live,
      attendance,
      authenticate,
      stillValid,
      picture,
      ...(pool ? { pool } : {}),
      ...(link ? { link } : {}),
      ...(builds ? { builds } : {}),
      metrics,
      log,
      ...(trace ? { trace } : {}),
    },
    config,
  )

  internal.waitsFor('the node has not heard itself through Redis yet')
  await heardItself(redis)
  const port = await listen(gateway.http, { name: 'PORT', port: config.port, host: config.host })
  internal.open(gateway.inside)
  log.info({ event: 'listening', port, internalPort, origin: config.origin, demo: config.demo })
  // No proxy's address leads to a cluster that is for one machine alone, out of a container for instance.
  const originWatch = isLoopback(new URL(config.origin).hostname)
    ? undefined
    : watchOrigin(config.origin, (why) =>
        log.warn(
          { event: 'origin', origin: config.origin, why },
          'SAOMA_ORIGIN does not lead here, seen from this node',
        ),
      )

  return async (why, code) => {
    log.info({ event: 'stopping', signal: why })
    setTimeout(() => {
      log.fatal({ event: 'deadline' }, 'SAOMA_DRAIN_DEADLINE_MS is over: ending without the rest')
      process.exit(1)
    }, config.drain.deadlineMs).unref()
    originWatch?.close()
    const codesClosed = codes.close()
    await gateway.close()
    internal.server.close()
    internal.server.closeAllConnections()
    // Now that nobody waits for a picture: it ends what the pool's job has under way.
    wechat?.close()
    await codesClosed
    builds?.close()
    attendance.close()
    apiKeys.close()
    await channels.close()
    identity.close()
    await membership.close()
    allowance.close()
    await opened.close()
    await trace?.close()
    log.info({ event: 'stopped' })
    process.exit(code)
  }
}

const fail = (error: unknown) => {
  // A person reads this: settings and addresses get their sentence, anything else its stack.
  const plain =
    error instanceof ConfigError || (error instanceof Error && ('code' in error || error.name === 'RedisUnavailable'))
  const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : ''
  process.stderr.write(
    `${plain ? `${(error as Error).message}${cause}` : error instanceof Error ? error.stack : error}\n`,
  )
  process.exit(1)
}

start().then((stop) => {
  ending.stop = stop
}, fail)

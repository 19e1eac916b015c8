import type { Server as HttpServer } from 'node:http'
import { createChannels } from '@saoma/channels'
import type { RedisClients } from '@saoma/redis'
import { createTickets } from '@saoma/tickets'
import { joinClients } from './access/all-clients.ts'
import { createClientList } from './access/client-list.ts'
import { createClientStore } from './access/client-store.ts'
import { holdClients } from './access/held-clients.ts'
import { holdKeys } from './access/held-keys.ts'
import { createKeyStore } from './access/key-store.ts'
import { noteKeyUse } from './access/key-use.ts'
import { useOfFile } from './access/listed-client.ts'
import { openAccess } from './access/open-access.ts'
import { createPhoneIssuers } from './access/phone-issuers.ts'
import { createRules } from './access/rules.ts'
import { createUses } from './access/uses.ts'
import type { Config } from './config/config.ts'
import { mayBegin } from './config/empty-redis.ts'
import { createGateway } from './gateway.ts'
import { createAllowance } from './live/allowance.ts'
import { tellChannelEvents } from './live/channel-events.ts'
import { createLive } from './live/live.ts'
import { noteExpired, noteVoid } from './login/audited-tickets.ts'
import { openIdentity } from './login/open-identity.ts'
import { openWechat } from './login/open-wechat.ts'
import { openLink } from './login/qr/link.ts'
import { openQrPictures } from './login/qr/open-qr-pictures.ts'
import type { Logger } from './operate/log.ts'
import { openMembership } from './operate/membership.ts'
import type { Metrics } from './operate/metrics.ts'
import { openAudit } from './operate/open-audit.ts'
import { openRedis } from './operate/open-redis.ts'
import type { NodeView } from './operate/operator-server.ts'
import type { Patience } from './operate/patience.ts'
import { openTrace } from './operate/tracing/trace.ts'
import { openPages } from './transport/http/builds.ts'
import { createLimits } from './transport/limits.ts'

export interface NodeDeps {
  metrics: Metrics
  log: Logger
  patience: Patience
  /** Makes the process drain and end, as SIGTERM does. */
  leave: () => void
}

/** One node of a cluster, with all of its parts. */
export interface Node {
  /** The public HTTP server, not listening yet. */
  http: HttpServer
  /** The operator's view. */
  inside: NodeView
  redis: RedisClients
  /** Drains the node, then releases all that it holds. */
  close(): Promise<void>
}

/**
 * Builds a node from its settings. Waits for Redis as long as it takes. Rejects if the settings cannot work.
 */
export const createNode = async (config: Config, deps: NodeDeps): Promise<Node> => {
  const { metrics, log, patience, leave } = deps
  const trace = await openTrace(config, log)
  const opened = await openRedis(config, deps)
  metrics.channelsShare.set(config.channelsMemoryShare)
  const redis = opened.logins
  const membership = await patience.until(() => openMembership(redis, config.nodeId, log))
  const limits = createLimits(redis, config.limits, metrics)
  const audit = openAudit(redis, config, deps)
  const tickets = noteExpired(createTickets(redis, config.times, noteVoid(audit, metrics)), audit)
  const rules = createRules(config.live.rules)
  const channels = createChannels(opened.channels, {
    nodeId: config.nodeId,
    retention: rules.retention,
    announces: rules.announces,
    onEvent: tellChannelEvents(deps),
  })
  const wechat = openWechat(redis, metrics, config.wechat)
  const withWechat = wechat.first ? { wechat: wechat.first } : {}
  await patience.until(() => mayBegin(redis, config, log))
  const fileClients = createClientList(config.clients, (problems) =>
    log.error({ event: 'clients', problems }, 'SAOMA_CLIENTS has problems: the previous clients stay'),
  )
  const clientStore = createClientStore(redis, config.secrets)
  const clientUses = createUses(clientStore, log, 'applications')
  const heldClients = holdClients({
    store: clientStore,
    subscriber: redis.subscriber,
    channel: redis.keys.clientChanges(),
    log,
  })
  await patience.until(heldClients.refresh)
  const clients = joinClients(fileClients, heldClients, log)
  const issuers =
    config.phoneIssuers &&
    createPhoneIssuers(
      config.phoneIssuers,
      (problems) =>
        log.error({ event: 'phone-issuers', problems }, 'SAOMA_PHONE_ISSUERS has problems: the previous issuers stay'),
      log,
    )
  const identity = await patience.until(() =>
    openIdentity(
      {
        ...{ ...deps, wechatApps: wechat.all, redis, membership, tickets, channels, limits, audit, clients },
        ...(issuers ? { issuers } : {}),
      },
      config,
    ),
  )
  const keyStore = createKeyStore(redis, config.secrets)
  const keyUses = createUses(keyStore, log, 'API keys')
  const heldKeys = holdKeys({
    store: keyStore,
    subscriber: redis.subscriber,
    channel: redis.keys.apiKeyChanges(),
    log,
  })
  await patience.until(heldKeys.refresh)
  const access = openAccess(
    {
      heldKeys,
      channels,
      identity,
      rules,
      subscriber: opened.channels.subscriber,
      ...(opened.isApart ? { loginsSubscriber: redis.subscriber } : {}),
      log,
    },
    config.live,
  )
  const allowance = createAllowance({ redis: opened.channels, metrics }, config)
  const live = createLive(
    { channels, policy: access.policy, allowance, hasRoom: opened.room.hasRoom },
    { maxDataBytes: config.limits.messageBytes },
  )
  const codes = await patience.until(() => openQrPictures({ ...deps, ...withWechat, redis }, config))
  const link = openLink({ ...withWechat, log }, config)
  const builds = await openPages(redis, config, log)
  const gateway = createGateway(
    {
      ...{ redis, limits, tickets, identity, channels, live, clients, metrics, audit, log, leave },
      accounts: identity.accounts,
      inbox: identity.inbox,
      settled: identity.settled,
      ...(opened.isApart ? { channelsRedis: opened.channels } : {}),
      room: opened.room,
      revocations: access.revocations,
      authenticate: noteKeyUse(access.authenticate, audit, config.audit.keepMs, keyUses),
      keys: { store: keyStore, held: heldKeys, file: access.fileKeys },
      applications: { store: clientStore, held: heldClients, file: fileClients },
      noteClient: (id) => clientUses.mark(fileClients.find(id) ? useOfFile(id) : heldClients.find(id)?.registration),
      stillValid: access.stillValid,
      picture: codes.picture,
      ...(codes.pool ? { pool: codes.pool } : {}),
      ...(link ? { link } : {}),
      ...(builds ? { builds } : {}),
      ...(trace ? { trace } : {}),
    },
    config,
  )

  return {
    http: gateway.http,
    inside: gateway.inside,
    redis,
    close: async () => {
      const codesClosed = codes.close()
      await gateway.close()
      // No client waits for a picture any more. This also aborts the pool's calls in progress.
      wechat.close()
      await codesClosed
      builds?.close()
      access.close()
      heldKeys.close()
      await keyUses.close()
      await clientUses.close()
      await channels.close()
      identity.close()
      clients.close()
      issuers?.close()
      await audit.close()
      await membership.close()
      allowance.close()
      await opened.close()
      await trace?.close()
    },
  }
}

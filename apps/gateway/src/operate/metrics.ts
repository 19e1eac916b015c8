import { kindNames } from '@saoma/audit'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { watchEventLoop } from './event-loop.ts'

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
/** Most Redis commands take less than the smallest of those buckets. */
const REDIS_SECONDS = [0.0002, 0.0005, 0.001, ...SECONDS.slice(0, -1)]
const CLIENTS = ['data', 'pub', 'sub'] as const
const A_DAY_MS = 86_400_000
/** The names of the rate limits, as in docs/operate.md. */
const LIMITED = [
  ...['codes', 'codes_cluster', 'pictures', 'links', 'bad_phone_codes', 'phone_codes_cluster', 'demo_people'],
  ...['authorizations', 'authorizations_cluster', 'typed_codes', 'typed_codes_cluster', 'pushed_logins'],
  ...['user_codes', 'checks', 'refreshes', 'decisions', 'requests', 'held', 'events', 'live_events', 'key_events'],
  ...['handshakes', 'ticket', 'subscribes', 'keys'],
  ...['person_messages', 'person_bytes', 'person_kept', 'person_channels', 'person_follows', 'key_bytes'],
]

/** Prometheus metrics of one node. Labels have few values: never a ticket, a person or an address. */
export const createMetrics = () => {
  const registry = new Registry()
  // Its event loop monitor cannot be turned off. Make it so rare that
  // it costs nothing, and remove its metrics.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: A_DAY_MS })
  for (const part of ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'])
    registry.removeSingleMetric(`nodejs_eventloop_lag_${part}_seconds`)
  // These gauges are named like counters. The ones without `_total` give the same numbers by type.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  watchEventLoop(registry)
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets = SECONDS) =>
    new Histogram({ name, help, labelNames, buckets, registers })

  /**
   * Counted on the path of every delivery, where a labelled counter
   * would cost as much as the delivery itself.
   */
  const traffic = { messagesOut: 0, bytesOut: 0, signalsDropped: 0 }
  const tally = (name: string, help: string, key: keyof typeof traffic) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(traffic[key])
      },
    })
  tally('saoma_messages_out_total', 'Kept messages written to clients', 'messagesOut')
  tally('saoma_bytes_out_total', 'Bytes of messages written to clients', 'bytesOut')
  tally('saoma_volatile_dropped_total', 'Volatile messages not given to a client that was behind', 'signalsDropped')

  const metrics = {
    registry,
    traffic,
    node: gauge('saoma_node_info', 'Always 1: which node this is, and of which version', ['node', 'version']),
    // Not `namespace`: Prometheus in Kubernetes uses that label itself.
    connections: gauge('saoma_connections', 'Open sockets', ['nsp', 'transport']),
    opened: counter('saoma_connections_opened_total', 'Sockets opened', ['transport']),
    closed: counter('saoma_connections_closed_total', 'Sockets closed', ['reason']),
    handshakesRejected: counter('saoma_handshake_rejected_total', 'Handshakes refused', ['reason']),
    channels: gauge('saoma_channels', 'Channels followed on this node', []),
    followers: gauge('saoma_followers', 'Followers of channels on this node', []),
    people: gauge('saoma_users', 'People with a socket in the channels of this node', []),
    watched: gauge('saoma_tickets_watched', 'Tickets that sockets of this node wait for', []),
    published: histogram('saoma_publish_seconds', 'Publications asked for on this node', ['result']),
    echoes: histogram(
      'saoma_pubsub_echo_seconds',
      'What a message to itself took through Redis, every two seconds',
      [],
    ),
    echoAge: gauge(
      'saoma_pubsub_last_echo_age_seconds',
      'Since that was last heard, on the shard where that is longest ago',
      [],
    ),
    recoveries: counter('saoma_recovery_total', 'Subscriptions by how they began', ['result']),
    recovered: counter(
      'saoma_recovered_messages_total',
      'Messages that readers had missed and got when they came back',
      [],
    ),
    refilled: counter('saoma_gap_refilled_total', 'Messages that pub/sub had lost and the log made good', []),
    lost: counter('saoma_gap_lost_total', 'Gaps that the log could not make good', []),
    swept: counter('saoma_nodes_swept_total', 'Dead nodes whose presence this node took away', []),
    slowReaders: counter('saoma_slow_consumer_closed_total', 'Readers cut off because they did not read', []),
    cut: counter('saoma_connections_cut_total', 'Connections cut off for what they sent or did not read', ['reason']),
    ended: counter('saoma_connections_ended_total', 'Sockets closed for their token or session', ['code']),
    sessionsEnded: counter('saoma_sessions_ended_total', 'Logins that were ended on purpose, by whom', ['by']),
    applicationLogouts: counter(
      'saoma_application_logouts_total',
      'Calls that tell an application of the end of a session, by how they went',
      ['result'],
    ),
    applicationPings: counter(
      'saoma_application_pings_total',
      'Calls that tell an application of an answer on the phone, by how they went',
      ['result'],
    ),
    refreshed: counter('saoma_token_refreshed_total', 'Tokens renewed on a live socket', []),
    refreshRepeated: counter(
      'saoma_refresh_repeated_total',
      'Refreshes that were repeated in time, because their answer was lost or two asked at once',
      [],
    ),
    subscriptions: gauge('saoma_subscriptions', 'Redis channels this node listens to', []),
    pubsubReceived: counter('saoma_pubsub_received_total', 'Messages received from Redis', []),
    resyncs: counter(
      'saoma_pubsub_resync_total',
      'Times tickets and channels were read anew because their subscriptions had been away',
      [],
    ),
    subscriptionsMoved: counter(
      'saoma_redis_subscriptions_moved_total',
      'Subscriptions that were away and are back, by why',
      ['reason'],
    ),
    redisMemory: gauge('saoma_redis_memory_ratio', 'Used of maxmemory, where that is set, of the fullest master', []),
    channelsShare: gauge('saoma_channels_memory_share', 'Part of maxmemory from which on channels take no writes', []),
    channelsRoom: gauge('saoma_channels_room', 'Whether channels take writes: their Redis has room and is fit', []),
    redisUp: gauge('saoma_redis_up', 'Whether the connection can be used', ['client']),
    redisRefuses: gauge('saoma_redis_refuses', 'Always 1: the word with which Redis refuses what is written', [
      'client',
      'reason',
    ]),
    redisErrors: counter('saoma_redis_errors_total', 'Connection errors', ['client']),
    redisReconnects: counter('saoma_redis_reconnects_total', 'Lost connections that came back', ['client']),
    redisCommands: histogram(
      'saoma_redis_command_seconds',
      'Commands by how they ended: reply or none',
      ['client', 'result'],
      REDIS_SECONDS,
    ),
    transitions: counter('saoma_login_transitions_total', 'Tickets that changed their state through this node', [
      'state',
    ]),
    pushes: histogram(
      'saoma_login_confirm_push_seconds',
      'From a confirm on this node until it was written to the browser, for browsers on this node too',
      [],
    ),
    longPolls: gauge('saoma_longpoll_waiting', 'Long polls and event streams being held', []),
    longPollsDone: counter('saoma_longpoll_total', 'Long polls answered', ['result']),
    limited: counter('saoma_ratelimited_total', 'Requests refused for their rate', ['what']),
    requests: histogram('saoma_http_request_seconds', 'HTTP requests that are not held on purpose', [
      'route',
      'status',
    ]),
    wechat: counter('saoma_wechat_total', 'Calls to WeChat', ['event']),
    wechatSeconds: histogram('saoma_wechat_seconds', 'Tries of calls to WeChat, however they ended', ['api']),
    poolCodes: gauge('saoma_pool_codes', 'Codes of the pool, as the node that fills it saw them last', ['state']),
    poolLowWater: gauge('saoma_pool_low_water', 'Codes that nobody has seen which the pool should have', []),
    poolDemand: gauge('saoma_pool_demand', 'Pictures in the busiest of the last ten minutes', []),
    poolLeases: counter('saoma_pool_leases_total', 'Pictures asked of the pool, by the code that was leased', [
      'result',
    ]),
    poolChecks: counter('saoma_pool_checks_total', 'Scans of pooled codes', ['result']),
    poolRefill: counter('saoma_pool_refill_total', 'Codes that this node drew, retired or failed to draw', ['result']),
    poolLeader: gauge('saoma_pool_leader', 'Whether this node fills the pool', []),
    poolBroken: counter(
      'saoma_pool_broken_total',
      'Pictures that were missing in the store or not what was put there',
      [],
    ),
    wechatDraws: counter('saoma_wechat_draws_total', 'Codes that WeChat drew for this node', ['purpose']),
    audited: counter('saoma_audit_entries_total', 'Entries that this node wrote into the audit', ['kind']),
    auditLost: counter('saoma_audit_lost_total', 'Entries of the audit that this node could not write', ['why']),
    draining: gauge('saoma_draining', 'Whether this node is being taken out', []),
    drained: counter('saoma_drained_connections_total', 'Sockets closed by a drain', []),
  }
  // Create each series at 0. A series that appears with its first event shows no increase, so alerts and
  // graphs would miss that event.
  const known: [Counter, string, readonly string[]][] = [
    [metrics.transitions, 'state', ['created', 'scanned', 'confirmed', 'rejected', 'void', 'redeemed']],
    [metrics.recoveries, 'result', ['new', 'recovered', 'trimmed', 'epoch']],
    [metrics.cut, 'reason', ['flood', 'slow', 'protocol']],
    [metrics.ended, 'code', ['TOKEN_EXPIRED', 'REVOKED', 'REPLACED']],
    [metrics.sessionsEnded, 'by', ['phone', 'browser', 'backend', 'limit']],
    [metrics.applicationLogouts, 'result', ['told', 'again', 'failed']],
    [metrics.applicationPings, 'result', ['told', 'again', 'failed']],
    [metrics.redisErrors, 'client', CLIENTS],
    [metrics.redisReconnects, 'client', CLIENTS],
    [metrics.limited, 'what', LIMITED],
    [metrics.opened, 'transport', ['websocket', 'polling', 'plain']],
    [metrics.handshakesRejected, 'reason', ['origin', 'draining', 'rate', 'nowhere', 'method']],
    [metrics.poolRefill, 'result', ['drawn', 'retired', 'error']],
    [metrics.wechatDraws, 'purpose', ['login', 'pool']],
    [metrics.wechat, 'event', ['answered', 'refused', 'unreachable', 'unexpected']],
    [metrics.audited, 'kind', kindNames],
    [metrics.auditLost, 'why', ['backlog', 'late', 'refused', 'stopped']],
    [metrics.poolLeases, 'result', ['fresh', 'rested', 'empty', 'unreadable']],
  ]
  for (const [counted, label, values] of known) for (const value of values) counted.inc({ [label]: value }, 0)
  for (const client of CLIENTS) metrics.redisCommands.zero({ client, result: 'none' })
  return metrics
}

export type Metrics = ReturnType<typeof createMetrics>

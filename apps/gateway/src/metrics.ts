import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Prometheus metrics of one node. Labels have few values: never a ticket, a person or an address. */
export const createMetrics = () => {
  const registry = new Registry()
  // Its default looks at the event loop a hundred times a second, which is most of what an idle node does.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers })

  /** Counted in the path of every delivery, where a labelled counter would cost as much as the delivery. */
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
  tally('rt_messages_out_total', 'Kept messages written to clients', 'messagesOut')
  tally('rt_bytes_out_total', 'Bytes of messages written to clients', 'bytesOut')
  tally('rt_volatile_dropped_total', 'Volatile messages not given to a client that was behind', 'signalsDropped')

  return {
    registry,
    traffic,
    connections: gauge('rt_connections', 'Open sockets', ['namespace', 'transport']),
    opened: counter('rt_connections_opened_total', 'Sockets opened', ['transport']),
    closed: counter('rt_connections_closed_total', 'Sockets closed', ['reason']),
    handshakesRejected: counter('rt_handshake_rejected_total', 'Handshakes refused', ['reason']),
    channels: gauge('rt_channels', 'Channels followed on this node', []),
    followers: gauge('rt_followers', 'Followers of channels on this node', []),
    published: counter('rt_publish_total', 'Publications asked for on this node', ['result']),
    recoveries: counter('rt_recovery_total', 'Subscriptions by how they began', ['result']),
    refilled: counter('rt_gap_refilled_total', 'Messages that pub/sub had lost and the log made good', []),
    lost: counter('rt_gap_lost_total', 'Gaps that the log could not make good', []),
    swept: counter('rt_nodes_swept_total', 'Dead nodes whose presence this node took away', []),
    slowReaders: counter('rt_slow_consumer_closed_total', 'Readers cut off because they did not read', []),
    cut: counter('rt_connections_cut_total', 'Connections cut off for what they sent or did not read', ['reason']),
    ended: counter('rt_session_ended_total', 'Sockets closed for their token or session', ['code']),
    sessionsEnded: counter('rt_sessions_ended_total', 'Logins that their owner ended by hand', ['by']),
    refreshed: counter('rt_token_refreshed_total', 'Tokens renewed on a live socket', []),
    subscriptions: gauge('rt_subscriptions', 'Redis channels this node listens to', []),
    pubsubReceived: counter('rt_pubsub_received_total', 'Messages received from Redis', []),
    resyncs: counter('rt_pubsub_resync_total', 'Times every waiting browser was read anew after Redis came back', []),
    redisUp: gauge('rt_redis_up', 'Whether the connection is ready', ['client']),
    redisErrors: counter('rt_redis_errors_total', 'Connection errors', ['client']),
    transitions: counter('rt_login_transitions_total', 'Tickets that changed their state through this node', ['state']),
    longPolls: gauge('rt_longpoll_waiting', 'Long polls and event streams being held', []),
    longPollsDone: counter('rt_longpoll_total', 'Long polls answered', ['result']),
    limited: counter('rt_ratelimited_total', 'Requests refused for their rate', ['what']),
    requests: new Histogram({
      name: 'rt_http_request_seconds',
      help: 'Duration of HTTP requests that are not held on purpose',
      labelNames: ['route', 'status'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    wechat: counter('rt_wechat_total', 'Calls to WeChat', ['event']),
    poolCodes: gauge('rt_pool_codes', 'Codes of the pool, as the node that fills it saw them last', ['state']),
    poolLowWater: gauge('rt_pool_low_water', 'Codes that nobody has seen which the pool should have', []),
    poolDemand: gauge('rt_pool_demand', 'Pictures in the busiest of the last ten minutes', []),
    poolLeases: counter('rt_pool_leases_total', 'Pictures asked of the pool, by the code that was leased', ['result']),
    poolChecks: counter('rt_pool_checks_total', 'Scans of pooled codes', ['result']),
    poolRefill: counter('rt_pool_refill_total', 'Codes that this node drew, retired or failed to draw', ['result']),
    poolLeader: gauge('rt_pool_leader', 'Whether this node fills the pool', []),
    poolBroken: counter(
      'rt_pool_broken_total',
      'Pictures that were missing in the store or not what was put there',
      [],
    ),
    wechatDraws: counter('rt_wechat_draws_total', 'Codes that WeChat drew for this node', ['purpose']),
    draining: gauge('rt_draining', 'Whether this node is being taken out', []),
    drained: counter('rt_drained_connections_total', 'Sockets closed by a drain', []),
  }
}

export type Metrics = ReturnType<typeof createMetrics>

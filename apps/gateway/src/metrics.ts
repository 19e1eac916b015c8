import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Prometheus metrics of one node. Labels have few values: never a ticket, a person or an address. */
export const createMetrics = () => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers })

  return {
    registry,
    connections: gauge('rt_connections', 'Sockets of waiting browsers', ['transport']),
    opened: counter('rt_connections_opened_total', 'Sockets opened', ['transport']),
    closed: counter('rt_connections_closed_total', 'Sockets closed', ['reason']),
    handshakesRejected: counter('rt_handshake_rejected_total', 'Handshakes refused', ['reason']),
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
    draining: gauge('rt_draining', 'Whether this node is being taken out', []),
    drained: counter('rt_drained_connections_total', 'Sockets closed by a drain', []),
  }
}

export type Metrics = ReturnType<typeof createMetrics>

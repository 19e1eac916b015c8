import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Gauge, Registry } from 'prom-client'
import { countAnswers } from './answers.ts'
import { readStatus } from './status.ts'

/*
 * Prometheus metrics of one nginx, from its status page and its access log. Settings:
 *
 *   NGINX_STATUS   its /nginx-status, at NGINX_PROBE of nginx/render.sh
 *   HOST, PORT     address of /metrics and /healthz                        (default 127.0.0.1, 9113)
 *   SYSLOG_PORT    UDP port of HOST for NGINX_METRICS of nginx/render.sh  (default 9514)
 */

/**
 * These series exist from the start, because alerts and dashboards use them. A series that begins with its
 * first event shows no increase for it.
 */
const KNOWN = ['101', '200', '400', '401', '404', '413', '429', '499', '500', '502', '503', '504']

const { NGINX_STATUS = '', HOST = '127.0.0.1', PORT = '9113', SYSLOG_PORT = '9514' } = process.env

const start = async (status: URL): Promise<void> => {
  const registers = [new Registry()] as const
  const [registry] = registers
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers: [...registers] })
  const up = gauge('saoma_nginx_up', 'Whether nginx told of itself', [])
  const connections = gauge('saoma_nginx_connections', 'Connections of clients by what they do', ['state'])
  const most = gauge('saoma_nginx_sockets_limit', 'Sockets that all workers take together', [])
  const totals = { accepted: 0, handled: 0 }
  for (const [key, help] of [
    ['accepted', 'Connections accepted'],
    ['handled', 'Connections not given up for want of room'],
  ] as const)
    new Counter({
      name: `saoma_nginx_connections_${key}_total`,
      help,
      registers: [...registers],
      collect() {
        this.reset()
        this.inc(totals[key])
      },
    })
  const answers = new Counter({
    name: 'saoma_nginx_answers_total',
    help: 'Requests by the status that the client got, and whether a node was asked or nginx answered itself',
    labelNames: ['status', 'by'],
    registers: [...registers],
  })
  for (const by of ['node', 'nginx']) for (const known of KNOWN) answers.inc({ status: known, by }, 0)

  const look = async (): Promise<void> => {
    try {
      const seen = await readStatus(status)
      up.set(1)
      most.set(seen.most)
      Object.assign(totals, { accepted: seen.accepted, handled: seen.handled })
      for (const [state, many] of Object.entries(seen.connections)) connections.set({ state }, many)
    } catch {
      up.set(0)
      connections.reset()
    }
  }

  const syslog = await countAnswers(answers, { host: HOST, port: Number(SYSLOG_PORT) })
  const server = createServer((req, res) => {
    if (req.url === '/healthz') return res.end('{"ok":true}')
    if (req.url !== '/metrics') return res.writeHead(404).end()
    look()
      .then(() => registry.metrics())
      .then((text) => res.writeHead(200, { 'Content-Type': registry.contentType }).end(text))
      .catch((error: unknown) => res.writeHead(500).end(String(error)))
  })
  server.listen(Number(PORT), HOST, () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`${JSON.stringify({ event: 'listening', port, syslogPort: syslog.address().port })}\n`)
  })
  server.once('error', (error) => {
    process.stderr.write(`${HOST}:${PORT} cannot be listened on: ${error.message}\n`)
    process.exit(1)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      syslog.close()
      server.close()
      server.closeAllConnections()
    })
}

if (URL.canParse(NGINX_STATUS)) {
  start(new URL(NGINX_STATUS)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  })
} else {
  process.stderr.write('NGINX_STATUS must be the address of /nginx-status, such as http://nginx:8081/nginx-status\n')
  process.exitCode = 1
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPublisher, createVerifier } from '@saoma/client/server'
import { pino } from 'pino'
import { type Config, ConfigError, readConfig } from './config.ts'
import { openDatabase } from './database.ts'
import { createShop } from './shop.ts'

/** Requests that run longer than this are cut off when the process ends. */
const STOP_TIMEOUT_MS = 5_000
/**
 * Longer than nginx keeps an idle connection (60 s), so that nginx closes first. Otherwise nginx could send a
 * request on a connection that this server is closing.
 */
const KEEP_ALIVE_MS = 75_000

const run = (config: Config): void => {
  const log = pino({
    level: config.logLevel,
    base: { app: 'shop' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })
  const { origin, saomaUrl, apiKey } = config
  const database = openDatabase(config.database)
  // No retries here: the outbox retries, and for longer than one call could.
  const publisher = createPublisher({ origin: saomaUrl, apiKey, withinMs: 0 })
  const verifier = createVerifier({ origin, jwksUrl: `${saomaUrl}/oidc/jwks` })
  const shop = createShop({ database, publisher, verifier, log }, config)
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, shop.handler)

  const stop = () => {
    server.close(async () => {
      await shop.close()
      database.close()
      log.info({ event: 'stopped' })
    })
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT_MS).unref()
  }
  server.once('error', (error) => {
    log.fatal({ err: error }, 'cannot listen')
    process.exit(1)
  })
  server.listen(config.port, config.host, () => {
    const { port } = server.address() as AddressInfo
    log.info({ event: 'listening', port })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
  })
}

try {
  run(readConfig(process.env))
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

import { readConfig } from './config/config.ts'
import { warnOfMisspelled } from './config/misspelled.ts'
import { isLoopback } from './config/origins.ts'
import { whyNot } from './config/why-not.ts'
import { createNode } from './node.ts'
import { createEnding, type Stop } from './operate/ending.ts'
import { createLog } from './operate/log.ts'
import { createMetrics } from './operate/metrics.ts'
import { placeOf } from './operate/open-redis.ts'
import { createOperatorServer } from './operate/operator-server.ts'
import { openOriginWatch } from './operate/origin-watch.ts'
import { heardItself, openPatience } from './operate/patience.ts'
import { version } from './operate/version.ts'
import { listen } from './transport/listen.ts'

const ending = createEnding((code) => process.exit(code))
process.on('uncaughtException', ending.surprise)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, ending.signal)

const start = async (): Promise<Stop> => {
  const config = readConfig(process.env)
  const { host, origin } = config
  const log = createLog({ level: config.logLevel, node: config.nodeId })
  ending.writeTo(log)
  warnOfMisspelled(process.env, log)
  const metrics = createMetrics()
  metrics.node.set({ node: config.nodeId, version }, 1)
  // Open the operator port before waiting for anything, so that probes learn the reason of the wait.
  const internal = createOperatorServer(metrics)
  const internalPort = await listen(internal.server, { name: 'INTERNAL_PORT', port: config.internalPort, host })
  const patience = openPatience(placeOf(config.redisUrl), { internal, internalPort, log })
  ending.stop = async (why, code) => {
    log.info({ event: 'stopped', signal: why }, 'stopped before the start was complete')
    process.exit(code)
  }
  const node = await createNode(config, { metrics, log, patience, leave: () => ending.leave('drain') })
  internal.waitsFor('the node has not heard itself through Redis yet')
  await heardItself(node.redis)
  const port = await listen(node.http, { name: 'PORT', port: config.port, host })
  internal.open(node.inside)
  log.info({ event: 'listening', port, internalPort, origin, demo: config.demo })
  const originWatch = openOriginWatch(origin, isLoopback(new URL(origin).hostname), log)
  return async (why, code) => {
    log.info({ event: 'stopping', signal: why })
    ending.within(config.drain.deadlineMs)
    originWatch.close()
    await node.close()
    internal.server.close()
    internal.server.closeAllConnections()
    log.info({ event: 'stopped' })
    process.exit(code)
  }
}

try {
  ending.stop = await start()
} catch (error) {
  process.stderr.write(`${whyNot(error)}\n`)
  process.exit(1)
}

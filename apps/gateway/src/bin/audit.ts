import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type Audit, type AuditQuery, createAudit, type Entry } from '@saoma/audit'
import { linesOf } from '../admin/audit.ts'
import { readConfig } from '../config/config.ts'
import { endAtClosedPipe, endCommand, FAILED, INTERRUPTED } from './command-end.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'
import { readGiven } from './given.ts'
import { type AskedAudit, readAuditCommand, USAGE } from './read-audit-command.ts'

/*
 * Shows what happened in a cluster. It reads Redis with the settings of a node, from the environment and from
 * files:
 *
 *   saoma audit tail --kind login.redeemed,session.ended
 *   saoma audit export --from 2026-11-01T00:00:00Z > november.jsonl
 *
 * `--help` prints the options. In the image: node apps/gateway/src/bin/audit.ts. Exit status: 0 on success, 1
 * on failure, 2 if the command line is wrong, 130 when an export was interrupted.
 */

/** A full Redis takes no entries, and can be read. */
const NOTE_MS = 1_000
const KIND_WIDTH = 17

const print = async (line: string, signal: AbortSignal): Promise<void> => {
  // Whoever reads may have stopped to read: an interrupt ends the wait.
  if (!process.stdout.write(line)) await once(process.stdout, 'drain', { signal }).catch(() => {})
}

/** What an operator reads is noted first: to close the pipe ends this program at once. */
const noteReading = async (audit: Audit, reason: string): Promise<void> => {
  audit.note({ kind: 'admin.acted', by: 'operator', reason })
  const over = new AbortController()
  await Promise.race([audit.flush(), delay(NOTE_MS, undefined, { signal: over.signal }).catch(() => {})])
  over.abort()
}

/** An entry for people: time, kind, and all else that it says. */
const rowOf = ({ id: _, time, kind, ...told }: Entry): string =>
  [time, kind.padEnd(KIND_WIDTH), ...Object.entries(told).map(([name, value]) => `${name}=${value}`)].join('  ')

/** Prints the newest entries, and then those that come, until the signal is aborted. */
const tail = async (
  audit: Audit,
  { query, lines, json }: Extract<AskedAudit, { kind: 'tail' }>,
  signal: AbortSignal,
): Promise<void> => {
  const show = (entry: Entry) => print(`${json ? JSON.stringify(entry) : rowOf(entry)}\n`, signal)
  let isAway = false
  const onAway = () => {
    if (!isAway) process.stderr.write('Redis cannot be reached. What happens meanwhile is shown later.\n')
    isAway = true
  }
  // Taken first: what comes meanwhile is shown once, by following.
  const end = await audit.end()
  const newest: Entry[] = []
  let cursor = behind(end)
  while (newest.length < lines && !signal.aborted) {
    const page = await audit.read({ ...query, cursor, limit: lines - newest.length })
    if (!page.ok) throw new TypeError('the query cannot be')
    newest.push(...page.value.entries)
    if (!page.value.more) break
    cursor = page.value.cursor
  }
  for (const entry of newest.reverse()) await show(entry)
  for await (const entry of audit.follow({ ...query, cursor: end }, signal, { onAway })) {
    isAway = false
    await show(entry)
  }
}

/** The same place for the order `newest`, whose first page is to have the entry at the end as well. */
const behind = (end: string): string =>
  end.replace(/-([0-9a-z]+)/g, (_, seq: string) => `-${(Number.parseInt(seq, 36) + 1).toString(36)}`)

const exportAll = async (audit: Audit, query: AuditQuery, signal: AbortSignal): Promise<void> => {
  for await (const lines of linesOf(audit, query, signal)) await print(lines, signal)
}

/** Resolves with the exit code. */
const run = async (asked: Extract<AskedAudit, { kind: 'tail' | 'export' }>): Promise<number> => {
  const config = readConfig(readGiven(asked.envFiles))
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const redis = await openCommandRedis('audit', config)
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  try {
    await noteReading(audit, asked.kind === 'tail' ? 'audit.read' : 'audit.export')
    if (asked.kind === 'tail') {
      await tail(audit, asked, interrupted.signal)
      return 0
    }
    await exportAll(audit, asked.query, interrupted.signal)
    return interrupted.signal.aborted ? INTERRUPTED : 0
  } catch (error) {
    throw forOperator(error, config.redisUrl)
  } finally {
    await audit.close()
    await redis.close()
  }
}

endAtClosedPipe()
const asked = readAuditCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () => ('envFiles' in asked ? run(asked) : FAILED))

import { randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import type { Logger } from './log.ts'
import { NodeReport } from './node-report.ts'

/** How long a node may take to answer. */
const ANSWER_MS = 2_000
/** A node repeats its report for this long: to count all sockets again for each call would cost too much. */
const REPEAT_MS = 1_000

const Word = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/))
const Call = v.variant('call', [
  v.object({ call: v.literal('report'), id: Word, from: Word }),
  v.object({ call: v.literal('drain'), id: Word, from: Word, node: Word }),
])
type Call = v.InferOutput<typeof Call>
const Answer = v.object({ id: Word, node: Word, report: v.optional(NodeReport) })
type Answer = v.InferOutput<typeof Answer>

const callOf = v.safeParser(v.pipe(v.string(), v.parseJson(), Call))
const answerOf = v.safeParser(v.pipe(v.string(), v.parseJson(), Answer))

/** Asks the nodes of the cluster for something, over Redis. Every call rejects with RedisUnavailable. */
export interface NodeCalls {
  /**
   * Resolves with what nodes say of themselves, by id: as soon as all of these have answered, or else after
   * two seconds. Without `nodes` after two seconds. Calls at the same time are one. A report may be a second
   * old, but never hides that the node was told to drain.
   */
  reports(nodes?: readonly string[]): Promise<ReadonlyMap<string, NodeReport>>
  /** Tells a node to drain. Resolves with whether it has acknowledged that, after two seconds at most. */
  drain(node: string): Promise<boolean>
  close(): void
}

export interface NodeCallsDeps {
  redis: Pick<RedisClients, 'data' | 'keys' | 'subscriber'>
  /** What this node says of itself. */
  report: () => Promise<NodeReport>
  /** Makes this node drain and end, as SIGTERM does. It may be called again. */
  leave: () => void
  log: Logger
}

/**
 * Nodes tell how they are when somebody asks, and otherwise nothing: a figure that each writes every few
 * seconds would cost all nodes all the time, and be a few seconds old.
 */
export const createNodeCalls = (
  { redis, report, leave, log }: NodeCallsDeps,
  { nodeId, answerMs = ANSWER_MS, repeatMs = REPEAT_MS }: { nodeId: string; answerMs?: number; repeatMs?: number },
): NodeCalls => {
  const { data, keys, subscriber } = redis
  const run = randomBytes(9).toString('base64url')

  let isLeaving = false
  let last: { report: Promise<NodeReport>; at: number } | undefined
  const lastReport = async (): Promise<NodeReport> => {
    if (!last || performance.now() - last.at > repeatMs) last = { report: report(), at: performance.now() }
    const told = await last.report
    if (!isLeaving) return told
    return { ...told, ready: false, draining: true, reasons: [...new Set([...told.reasons, 'draining'])] }
  }

  const answer = async (call: Call): Promise<void> => {
    const told: Answer =
      call.call === 'report' ? { id: call.id, node: nodeId, report: await lastReport() } : { id: call.id, node: nodeId }
    await orUnavailable(data.spublish(keys.nodeAnswers(call.from), JSON.stringify(told)))
  }
  const hear = (payload: Buffer): void => {
    const call = callOf(String(payload))
    // Nodes of a later version may ask for more.
    if (!call.success || (call.output.call === 'drain' && call.output.node !== nodeId)) return
    if (call.output.call === 'drain') isLeaving = true
    answer(call.output)
      .catch((error: unknown) =>
        log.warn({ err: error, event: 'node-call' }, 'a call of another node was not answered'),
      )
      // Whoever asked may have to ask again to know. The node leaves in any case.
      .finally(() => call.output.call === 'drain' && leave())
  }
  const listener = { hear }
  // The subscriber retries by itself.
  subscriber.hold(keys.nodeCalls(), listener).catch(() => {})

  /** Sends a call, and takes answers until `isEnough` says so or the time is over. */
  const ask = async (
    call: { call: 'report' } | { call: 'drain'; node: string },
    take: (answer: Answer) => boolean,
  ): Promise<void> => {
    const id = randomBytes(9).toString('base64url')
    const channel = keys.nodeAnswers(run)
    const heard = Promise.withResolvers<void>()
    const ear = {
      hear: (payload: Buffer) => {
        const told = answerOf(String(payload))
        if (told.success && told.output.id === id && take(told.output)) heard.resolve()
      },
    }
    let timer: NodeJS.Timeout | undefined
    try {
      await subscriber.hold(channel, ear)
      await orUnavailable(data.spublish(keys.nodeCalls(), JSON.stringify({ ...call, id, from: run })))
      timer = setTimeout(heard.resolve, answerMs)
      await heard.promise
    } finally {
      clearTimeout(timer)
      subscriber.release(channel, ear)
    }
  }

  const askReports = async (nodes?: readonly string[]): Promise<ReadonlyMap<string, NodeReport>> => {
    const reports = new Map<string, NodeReport>()
    await ask({ call: 'report' }, ({ node, report: told }) => {
      if (told) reports.set(node, told)
      return nodes?.every((one) => reports.has(one)) ?? false
    })
    return reports
  }
  let asking: ReturnType<typeof askReports> | undefined

  return {
    reports: (nodes) => {
      asking ??= askReports(nodes).finally(() => {
        asking = undefined
      })
      return asking
    },
    drain: async (node) => {
      let isAcknowledged = false
      await ask({ call: 'drain', node }, (told) => {
        isAcknowledged ||= told.node === node
        return isAcknowledged
      })
      return isAcknowledged
    },
    close: () => subscriber.release(keys.nodeCalls(), listener),
  }
}

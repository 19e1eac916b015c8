import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv } from '@saoma/testing'
import type { Answer, Kind, Order, Pace } from './orders.ts'

/** A process of worker.ts. */
export interface Node {
  readonly url: string
  load(tickets: readonly string[]): Promise<void>
  /** CPU time used so far, in microseconds. */
  usage(): Promise<number>
  push(pace: Pace): Promise<void>
  stop(): Promise<void>
}

const ANSWER_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000

/** Node flags of a gateway in production; the stock node runs with none. */
const flags: Record<Kind, readonly string[]> = { ours: ['--max-semi-space-size=2'], stock: [] }

export const startNode = async (kind: Kind, redisUrl: string): Promise<Node> => {
  const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), [kind, redisUrl], {
    execArgv: [...flags[kind]],
    env: plainEnv(),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')

  const stop = async () => {
    forget()
    if (child.exitCode !== null || child.signalCode !== null) return
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    if (child.connected) child.disconnect()
    await exited
    clearTimeout(timer)
  }
  const forget = onCleanup(stop)

  /** The next answer; answers come in the order of the orders, of which there is one at a time. */
  const answer = async <D extends Answer['did']>(did: D): Promise<Extract<Answer, { did: D }>> => {
    const gone = exited.then(() => {
      throw new Error(`a ${kind} node has ended`)
    })
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const [said] = (await Promise.race([once(child, 'message', { signal }), gone])) as [Answer]
    if (said.did === 'fail') throw new Error(`a ${kind} node: ${said.message}`)
    if (said.did !== did) throw new Error(`a ${kind} node answered ${said.did} to ${did}`)
    return said as Extract<Answer, { did: D }>
  }
  const ask = <D extends Answer['did']>(order: Order, did: D) => {
    child.send(order)
    return answer(did)
  }

  const { port } = await answer('start')
  return {
    url: `http://127.0.0.1:${port}`,
    load: async (tickets) => void (await ask({ do: 'load', tickets }, 'load')),
    usage: async () => (await ask({ do: 'usage' }, 'usage')).microseconds,
    push: async (pace) => void (await ask({ do: 'push', ...pace }, 'push')),
    stop,
  }
}

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv } from '@saoma/testing'

/** A child's answer to an order, or to its start. */
export type Answer = { did: string } | { did: 'fail'; message: string }

/** A child process that runs a file of this folder and takes orders over IPC. */
export interface Child<O extends { do: string }, A extends Answer> {
  readonly pid: number
  /** What the child reported when it had started. */
  readonly started: Extract<A, { did: 'start' }>
  /** Sends one order at a time. Rejects when the child fails, ends or does not answer. */
  ask<D extends O['do']>(order: Extract<O, { do: D }>): Promise<Extract<A, { did: D }>>
  stop(): Promise<void>
}

const ANSWER_TIMEOUT_MS = 60_000

export const startChild = async <O extends { do: string }, A extends Answer>(
  file: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<Child<O, A>> => {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: [...flags],
    env: plainEnv(),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')

  const stop = async () => {
    forget()
    if (child.exitCode !== null || child.signalCode !== null) return
    // The child has nothing to clean up.
    child.kill('SIGKILL')
    await exited
  }
  const forget = onCleanup(stop)

  const answer = async <D extends string>(did: D): Promise<Extract<A, { did: D }>> => {
    const gone = exited.then(() => {
      throw new Error(`${file} ${args[0]} has ended`)
    })
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const [said] = (await Promise.race([once(child, 'message', { signal }), gone])) as [Answer]
    if (said.did !== did) throw new Error(`${file} ${args[0]}: ${'message' in said ? said.message : said.did}`)
    return said as Extract<A, { did: D }>
  }

  return {
    pid: child.pid ?? 0,
    started: await answer('start'),
    ask: (order) => {
      child.send(order)
      return answer(order.do)
    },
    stop,
  }
}

/** The child's side: obeys one order after another. It ends when its parent process is gone. */
export const obey = <O extends { do: string }, A extends Answer>(
  started: Extract<A, { did: 'start' }>,
  act: (order: O) => A | Promise<A>,
): void => {
  // A lost parent is no failure here: `disconnect` ends this process.
  const say = (answer: Answer) => process.send?.(answer, undefined, undefined, () => {})
  const attempt = async (order: O): Promise<Answer> => {
    try {
      return await act(order)
    } catch (error) {
      return { did: 'fail', message: error instanceof Error ? error.message : String(error) }
    }
  }
  if (!process.connected) process.exit(0)
  process.on('disconnect', () => process.exit(0))
  // Ctrl-C in a terminal reaches this process too. The parent decides what to do.
  process.on('SIGINT', () => {})
  process.on('message', async (order: O) => say(await attempt(order)))
  say(started)
}

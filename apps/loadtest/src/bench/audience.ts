import { type Child, startChild } from './child.ts'
import type { CrowdAnswer, CrowdOrder, Opening } from './crowd.ts'
import { ORIGIN } from './footprint.ts'

/** All clients of one room, over all nodes. */
export interface Audience {
  /**
   * Resolves when each client has received all messages up to this number, once and in order. Rejects
   * otherwise.
   */
  received(number: number, timeoutMs: number): Promise<void>
  stop(): Promise<void>
}

/** `perNode` clients on each node. For each node they run in one process, whose CPU is not counted. */
export const openAudience = async (
  urls: readonly string[],
  dialogue: Opening['dialogue'],
  perNode: number,
): Promise<Audience> => {
  const crowds: Child<CrowdOrder, CrowdAnswer>[] = []
  for (const [i, url] of urls.entries()) {
    const crowd = await startChild<CrowdOrder, CrowdAnswer>('./crowd.ts', [dialogue])
    const names = Array.from({ length: perNode }, (_, j) => `bench-${i}-${j}`)
    await crowd.ask({ do: 'open', url, origin: ORIGIN, dialogue, names })
    crowds.push(crowd)
  }
  return {
    received: async (number, timeoutMs) => {
      await Promise.all(crowds.map((crowd) => crowd.ask({ do: 'receive', number, timeoutMs })))
    },
    stop: async () => {
      await Promise.all(crowds.map((crowd) => crowd.stop()))
    },
  }
}

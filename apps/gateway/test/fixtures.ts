import { type Connection, connect, whenReady } from '@saoma/redis'
import { type Gateway, metricOf, onCleanup, until } from '@saoma/testing'

/** Of tests with random input. Set FUZZ_SEED to the seed that a failing run reports to repeat that run. */
export const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)

const found = (node: Gateway | undefined, which: string | number): Gateway => {
  if (!node) throw new Error(`there is no node ${which}`)
  return node
}

export const nodeNamed = (nodes: readonly Gateway[], id: string): Gateway =>
  found(
    nodes.find((node) => node.id === id),
    id,
  )

/** The nodes in turn: after the last comes the first again. */
export const nodeAt = (nodes: readonly Gateway[], turn: number): Gateway => found(nodes[turn % nodes.length], turn)

/** Lines that a node writes when something failed, and lines that are no JSON. */
export const failuresOf = ({ lines }: Gateway) =>
  lines.filter(
    ({ json }) => !json || json.level === 'error' || json.level === 'fatal' || json.event === 'unhandledRejection',
  )

/** Resolves when the node holds so many requests: polls and event streams. */
export const untilHeld = (node: Gateway, count: number): Promise<number> =>
  until(
    () => metricOf(node, 'saoma_longpoll_waiting'),
    (waiting) => waiting === count,
  )

/** A connection of the test's own to Redis, which ends with the test file. */
export const openOperator = async (url: string): Promise<Connection> => {
  const operator = connect({ url, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  return operator
}

/** Names of rooms, another one at each call. */
export const roomsOf = (name: string): (() => string) => {
  let rooms = 0
  return () => `room:${name}-${++rooms}`
}

/** The numbers from 0 on, so many of them. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

import { member } from '../demo/json.ts'

/** Types of the shop's API. */
export interface Dish {
  id: string
  name: { en: string; zh: string }
  /** In fen. */
  price: number
}

export interface Line {
  dish: string
  quantity: number
  note: string
  by: string
}

export interface Order {
  table: string
  version: number
  status: 'open' | 'placed'
  lines: Line[]
}

/** Turns version - 1 of an order into `version`. */
export type Change = { version: number; id: string; author: { user: string; name: string } } & (
  | { kind: 'line'; dish: string; line: Line | null }
  | { kind: 'place' }
  | { kind: 'begin' }
)

export type Edit =
  | { kind: 'quantity'; dish: string; delta: number }
  | { kind: 'note'; dish: string; note: string }
  | { kind: 'remove'; dish: string }
  | { kind: 'place' }
  | { kind: 'begin' }

/** Only the shop writes to the table's channel, so its messages need no validation. */
export interface TableEvents {
  changed: Change
}

export const orderOf = (body: unknown): Order | undefined =>
  typeof member(body, 'version') === 'number' ? (body as Order) : undefined

export const applyChange = (order: Order, change: Change): Order => {
  const { version } = change
  if (change.kind === 'place') return { ...order, version, status: 'placed' }
  if (change.kind === 'begin') return { ...order, version, status: 'open', lines: [] }
  const { dish, line } = change
  const isThere = order.lines.some((other) => other.dish === dish)
  const lines = isThere
    ? order.lines.flatMap((other) => (other.dish === dish ? (line ?? []) : other))
    : [...order.lines, ...(line ? [line] : [])]
  return { ...order, version, lines }
}

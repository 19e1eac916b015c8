/** The shop's menu and order, as its API defines them. */
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
  /** The person who ordered it first. */
  by: string
}

export interface Order {
  table: string
  version: number
  status: 'open' | 'placed'
  lines: Line[]
}

/** Turns version - 1 of an order into `version`. `id` is the id of the edit. */
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

export const applyChange = (order: Order, change: Change): Order => {
  const { version } = change
  if (change.kind === 'place') return { ...order, version, status: 'placed' }
  if (change.kind === 'begin') return { ...order, version, status: 'open', lines: [] }
  const at = order.lines.findIndex(({ dish }) => dish === change.dish)
  const lines = change.line ? [change.line] : []
  return {
    ...order,
    version,
    lines: at < 0 ? [...order.lines, ...lines] : [...order.lines.slice(0, at), ...lines, ...order.lines.slice(at + 1)],
  }
}

/** One dish of an order. A dish is there once; whoever wants another raises its quantity. */
export interface Line {
  dish: string
  quantity: number
  /** What the kitchen should know. */
  note: string
  /** Version of the order in which the note was last written. */
  noteVersion: number
  /** Who put the dish there, by the name they gave themselves. */
  by: string
}

/** What the people at one table share. */
export interface Order {
  table: string
  /** Grows by one with every change. */
  version: number
  status: 'open' | 'placed'
  lines: Line[]
}

export type Edit =
  /** More or fewer of a dish; the changes of several people add up. */
  | { kind: 'quantity'; dish: string; delta: number }
  | { kind: 'note'; dish: string; note: string }
  | { kind: 'remove'; dish: string }
  /** Sends the order to the kitchen. */
  | { kind: 'place' }
  /** Begins the next order at this table. */
  | { kind: 'begin' }

export interface Author {
  user: string
  name: string
}

/** What the others at the table are told: enough to turn version - 1 into version. */
export type Change = { version: number; author: Author } & (
  | { kind: 'line'; dish: string; line: Line | null }
  | { kind: 'place' }
  | { kind: 'begin' }
)

export type Outcome =
  | { kind: 'changed'; order: Order; change: Change }
  /** What was asked for is so already. */
  | { kind: 'unchanged'; order: Order }
  | { kind: 'refused'; code: 'CONFLICT' | 'PLACED' | 'FULL'; order: Order }

export const MOST_OF_ONE_DISH = 99

export const emptyOrder = (table: string): Order => ({ table, version: 0, status: 'open', lines: [] })

/**
 * Applies an edit by somebody who was looking at version `based`. Quantities are differences, so they merge;
 * a note replaces a note, so it is refused when somebody else has written another one meanwhile; and nobody
 * sends to the kitchen what they have not seen.
 */
export const applyEdit = (order: Order, edit: Edit, based: number, author: Author): Outcome => {
  const version = order.version + 1
  const refused = (code: 'CONFLICT' | 'PLACED' | 'FULL'): Outcome => ({ kind: 'refused', code, order })
  const unchanged: Outcome = { kind: 'unchanged', order }
  const present = 'dish' in edit ? order.lines.find(({ dish }) => dish === edit.dish) : undefined

  const withLine = (dish: string, line: Line | null): Outcome => {
    const lines = present
      ? order.lines.flatMap((other) => (other.dish === dish ? (line ?? []) : other))
      : [...order.lines, ...(line ? [line] : [])]
    return {
      kind: 'changed',
      order: { ...order, version, lines },
      change: { kind: 'line', dish, line, version, author },
    }
  }

  // Versions that never were come from a page that knew another database.
  if (based > order.version) return refused('CONFLICT')
  if (edit.kind === 'begin') {
    if (order.status === 'open') return unchanged
    const begun: Order = { ...order, version, status: 'open', lines: [] }
    return { kind: 'changed', order: begun, change: { kind: 'begin', version, author } }
  }
  if (edit.kind === 'place') {
    if (order.status === 'placed') return unchanged
    if (based !== order.version || order.lines.length === 0) return refused('CONFLICT')
    return {
      kind: 'changed',
      order: { ...order, version, status: 'placed' },
      change: { kind: 'place', version, author },
    }
  }
  if (order.status === 'placed') return refused('PLACED')
  switch (edit.kind) {
    case 'quantity': {
      const { dish, delta } = edit
      const quantity = (present?.quantity ?? 0) + delta
      if (quantity > MOST_OF_ONE_DISH) return refused('FULL')
      if (quantity <= 0) return present ? withLine(dish, null) : unchanged
      const line = present ?? { dish, note: '', noteVersion: version, by: author.name }
      return withLine(dish, { ...line, quantity })
    }
    case 'note': {
      const { dish, note } = edit
      if (!present) return refused('CONFLICT')
      if (present.note === note) return unchanged
      if (present.noteVersion > based) return refused('CONFLICT')
      return withLine(dish, { ...present, note, noteVersion: version })
    }
    case 'remove':
      return present ? withLine(edit.dish, null) : unchanged
  }
}

/** One dish of an order. Each dish has one line; another portion raises its quantity. */
export interface Line {
  dish: string
  quantity: number
  /** A note for the kitchen. */
  note: string
  /** Version of the order in which the note was last written. */
  noteVersion: number
  /** The name of the person who added the dish, as that person gave it. */
  by: string
}

/** The order that the people at one table share. */
export interface Order {
  table: string
  /** Grows by one with every change. */
  version: number
  status: 'open' | 'placed'
  lines: Line[]
}

export type Edit =
  /** A change of a dish's quantity. The changes of several people add up. */
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

/** What the others at the table receive. It turns version - 1 of the order into `version`. */
export type Change = { version: number; author: Author } & (
  | { kind: 'line'; dish: string; line: Line | null }
  | { kind: 'place' }
  | { kind: 'begin' }
)

export type Outcome =
  | { kind: 'changed'; order: Order; change: Change }
  /** The order already is as requested. */
  | { kind: 'unchanged'; order: Order }
  | { kind: 'refused'; code: 'CONFLICT' | 'PLACED' | 'FULL'; order: Order }

export const MOST_OF_ONE_DISH = 99

export const emptyOrder = (table: string): Order => ({ table, version: 0, status: 'open', lines: [] })

/**
 * Applies an edit of a person who saw version `based`. Quantities are differences, so they merge. A note is
 * replaced, so the edit is refused if another person has changed the note since. Nobody can send an order to
 * the kitchen that they have not seen.
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

  // The database never had this version: the page saw an earlier database.
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

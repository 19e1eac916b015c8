import type { Database } from './database.ts'
import { type Author, applyEdit, type Edit, emptyOrder, type Order, type Outcome } from './order.ts'
import type { Outbox } from './outbox.ts'

export interface EditRequest {
  /** The page draws it. A repeated edit, sent because no answer came, has the same id and is made once. */
  id: string
  based: number
  edit: Edit
  author: Author
}

/** The orders of all tables. */
export interface Orders {
  read(table: string): Order
  edit(table: string, request: EditRequest): Outcome
}

/** Nobody repeats an edit after this time. */
const REMEMBERED_MS = 24 * 60 * 60 * 1_000

export const tableChannel = (table: string): string => `room:table-${table}`

export const createOrders = (database: Database, outbox: Outbox): Orders => {
  const select = database.prepare('SELECT body FROM orders WHERE tableName = ?')
  const write = database.prepare('INSERT OR REPLACE INTO orders (tableName, body) VALUES (?, ?)')
  const known = database.prepare('SELECT 1 FROM edits WHERE id = ?')
  const remember = database.prepare('INSERT INTO edits (id, at) VALUES (?, ?)')
  const forget = database.prepare('DELETE FROM edits WHERE at < ?')

  const read = (table: string): Order => {
    const row = select.get(table)
    return row ? JSON.parse(String(row.body)) : emptyOrder(table)
  }

  return {
    read,
    // One transaction writes the order and the message about it. A crash in between leaves neither.
    edit: (table, { id, based, edit, author }) =>
      database.transaction(() => {
        const order = read(table)
        const key = `${author.user}:${id}`
        if (known.get(key)) return { kind: 'unchanged', order }
        const outcome = applyEdit(order, edit, based, author)
        if (outcome.kind !== 'changed') return outcome
        const { change } = outcome
        write.run(table, JSON.stringify(outcome.order))
        remember.run(key, Date.now())
        forget.run(Date.now() - REMEMBERED_MS)
        outbox.add({
          channel: tableChannel(table),
          event: 'changed',
          // The page that made the edit recognizes it by its id.
          data: { ...change, id },
          idempotencyKey: `table-${table}-${change.version}-${id}`,
        })
        return outcome
      }),
  }
}

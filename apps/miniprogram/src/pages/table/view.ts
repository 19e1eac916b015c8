import type { TableScreen } from '../../logic/table-screen.ts'
import type { Text } from '../../logic/text.ts'

/** The data of the page. No value is undefined. */
export type TableView =
  | { kind: 'wait' }
  | { kind: 'failed'; hint: string }
  | {
      kind: 'slip'
      connection: string
      isLive: boolean
      isEnded: boolean
      isPlaced: boolean
      menu: readonly { id: string; label: string; price: string; quantity: number }[]
      lines: readonly LineView[]
      total: string
      feed: readonly { version: number; text: string }[]
      conflict: ConflictView | null
      refusal: string
    }

export interface LineView {
  dish: string
  title: string
  by: string
  note: string
  price: string
}

export interface ConflictView {
  title: string
  theirs: string
  mine: string
}

export const tableView = (screen: TableScreen, text: Text): TableView => {
  const { words, fill, sayMoney, sayRefusal, sayChange } = text
  if (screen.status === 'loading') return { kind: 'wait' }
  if (screen.status === 'failed') return { kind: 'failed', hint: sayRefusal(screen.code) }
  const { menu, conflict, refusal } = screen
  const nameOf = (id: string) => menu.find((dish) => dish.id === id)?.label ?? id
  return {
    kind: 'slip',
    connection: words.connections[screen.connection],
    isLive: ['socket', 'stream', 'poll'].includes(screen.connection),
    isEnded: screen.connection === 'ended',
    isPlaced: screen.isPlaced,
    menu: menu.map(({ id, label, price, quantity }) => ({ id, label, price: sayMoney(price), quantity })),
    lines: screen.lines.map(({ dish, name, quantity, by, note, price }) => ({
      dish,
      title: `${name} × ${quantity}`,
      by: fill(words.table.by, { name: by }),
      note,
      price: sayMoney(price * quantity),
    })),
    total: sayMoney(screen.total),
    feed: screen.feed.map((change) => ({ version: change.version, text: sayChange(change, menu) })),
    conflict: conflict
      ? {
          title: fill(words.table.conflict, { dish: nameOf(conflict.dish) }),
          theirs: conflict.theirs || words.table.noNote,
          mine: conflict.mine || words.table.noNote,
        }
      : null,
    refusal: refusal ? sayRefusal(refusal) : '',
  }
}

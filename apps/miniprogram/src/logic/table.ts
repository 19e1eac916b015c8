import { decodeClaims, type Live } from '@saoma/client'
import type { Connection } from './connection.ts'
import { member } from './json.ts'
import type { Change, Dish, Edit } from './order.ts'
import type { ShopApi } from './shop-api.ts'
import { createSlip } from './slip.ts'
import type { Conflict, TablePage, TableScreen } from './table-screen.ts'
import type { Text } from './text.ts'
import type { Tokens } from './tokens.ts'

export interface TablePageDeps {
  connection: Connection
  /** The page closes it. */
  shop: ShopApi
  /** Tokens of the client `miniprogram`. */
  tokens: Pick<Tokens, 'get'>
  text: Text
  random: () => number
}

/**
 * If the shop's state is older than its own messages, it has lost data. Further reads do not bring it back.
 */
const MOST_READS = 3

/** Only the shop writes to the table's channel, so its messages need no validation. */
interface TableEvents {
  changed: Change
}

/** @param name  of the table, 1 to 99 */
export const createTablePage = (name: string, deps: TablePageDeps, onChange: () => void): TablePage => {
  const { connection, shop, tokens, text, random } = deps
  const slip = createSlip()
  let menu: readonly Dish[] = []
  let conflict: Conflict | undefined
  let refusal: string | undefined
  let isLoading = false
  let isClosed = false
  let live: Live
  let leave = () => {}

  const changed = () => {
    if (!isClosed) onChange()
  }

  const screenNow = (): TableScreen => {
    const { order, feed } = slip
    if (!order || menu.length === 0) return refusal ? { status: 'failed', code: refusal } : { status: 'loading' }
    const label = (id: string) => menu.find((dish) => dish.id === id)?.name[text.language] ?? id
    const price = (id: string) => menu.find((dish) => dish.id === id)?.price ?? 0
    const lines = order.lines.map((line) => ({
      ...line,
      quantity: slip.quantity(line.dish),
      name: label(line.dish),
      price: price(line.dish),
    }))
    return {
      status: 'ready',
      connection: live.state,
      isPlaced: order.status === 'placed',
      menu: menu.map((dish) => ({ ...dish, label: label(dish.id), quantity: slip.quantity(dish.id) })),
      lines,
      total: lines.reduce((sum, line) => sum + line.quantity * line.price, 0),
      feed,
      ...(conflict ? { conflict } : {}),
      ...(refusal ? { refusal } : {}),
    }
  }

  const read = async (): Promise<string | undefined> => {
    if (menu.length === 0) {
      const { code, body } = await shop.get('menu')
      if (code) return code
      menu = (member(body, 'dishes') as Dish[] | undefined) ?? []
    }
    // A message may overtake the answer. Then the order is older than the message, and is read again.
    for (let reads = 1; !isClosed; reads++) {
      const { code, body } = await shop.get(`tables/${encodeURIComponent(name)}`)
      if (code) return code
      slip.take(body)
      if (!slip.isBehind || !slip.order || reads === MOST_READS) break
    }
    return undefined
  }

  const load = async () => {
    if (isLoading) return
    isLoading = true
    refusal = undefined
    refusal = await read()
    isLoading = false
    changed()
  }

  const join = () => {
    live = connection.live()
    const room = live.channel<TableEvents>(`room:table-${name}`)
    const unlisten = [
      live.on('state', changed),
      room.on('message', ({ data }) => {
        slip.hear(data)
        if (slip.order && slip.isBehind) void load()
        changed()
      }),
      room.on('lost', () => void load()),
      // From here on no change is missed, so now the order can be read.
      room.on('state', (state) => {
        if (state === 'live') void load()
      }),
      room.on('refused', ({ code }) => {
        refusal = code
        changed()
      }),
    ]
    leave = () => {
      for (const stop of unlisten) stop()
      room.close()
    }
  }

  /** A name for the others to read; it authorizes nothing. WeChat gives no names. */
  const myName = async (): Promise<string> => {
    const token = await tokens.get()
    const sub = token.ok ? decodeClaims(token.value)?.sub : undefined
    return sub ? `#${sub.slice(0, 4)}` : text.words.table.me
  }

  /** The shop identifies an edit by its id and its author, so the id need not be secret. */
  const drawId = () => `${Date.now().toString(36)}-${random().toString(36).slice(2)}-${random().toString(36).slice(2)}`

  const edit = async (wanted: Edit, based = slip.order?.version ?? 0) => {
    const id = drawId()
    if (wanted.kind === 'quantity') slip.begin(id, wanted.dish, wanted.delta)
    refusal = undefined
    changed()
    const path = `tables/${encodeURIComponent(name)}/edits`
    const { code, body } = await shop.post(path, { id, based, name: await myName(), edit: wanted })
    slip.finish(id)
    slip.take(code ? member(body, 'order') : body)
    const theirs = wanted.kind === 'note' ? slip.order?.lines.find(({ dish }) => dish === wanted.dish) : undefined
    if (code === 'CONFLICT' && wanted.kind === 'note' && theirs)
      conflict = { dish: wanted.dish, mine: wanted.note, theirs: theirs.note }
    else refusal = code
    changed()
  }

  join()

  return {
    get screen() {
      return screenNow()
    },
    edit: (wanted) => edit(wanted),
    resolve: async (keepMine) => {
      const settled = conflict
      conflict = undefined
      changed()
      if (settled && keepMine) await edit({ kind: 'note', dish: settled.dish, note: settled.mine })
    },
    retry: () => {
      if (live.state === 'ended') {
        leave()
        join()
      } else {
        void load()
      }
      changed()
    },
    close: () => {
      isClosed = true
      leave()
      shop.close()
    },
  }
}

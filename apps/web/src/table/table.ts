import type { Live } from '@saoma/client'
import type { Person } from '../demo/demo.ts'
import { member } from '../demo/json.ts'
import { drawId, type ShopApi } from '../demo/shop-api.ts'
import { applyChange, type Change, type Dish, type Edit, type Order, orderOf, type TableEvents } from './order.ts'

/** Two people wrote different notes for one dish. This person decides. */
export interface Conflict {
  dish: string
  mine: string
  theirs: string
}

/** A shared order: the shop's version, and this page's pending edits on top. */
export interface Table {
  readonly order: Order | undefined
  readonly menu: readonly Dish[]
  readonly conflict: Conflict | undefined
  /** Why the last edit failed: a code of the shop, or NETWORK. */
  readonly refusal: string | undefined
  /** Changes at this table since the page was opened, newest first. */
  readonly feed: readonly Change[]
  /** Quantity of a dish for this person, including their own clicks that are still on the way. */
  quantity(dish: string): number
  /** Whether a click on the dish is not saved yet. */
  isUnsaved(dish: string): boolean
  /** When the oldest unanswered edit began, by `performance.now()`. */
  waitingSince(): number | undefined
  /** @param based  the version that the person saw. @default the current one */
  edit(edit: Edit, based?: number): Promise<void>
  /** Ends the conflict with the other person's note, or with one's own. */
  resolve(keepMine: boolean): void
  close(): void
}

export interface TableDeps {
  live: Live
  shop: ShopApi
  me: Person
  update: () => void
}

const MOST_FEED = 5
/**
 * If the shop's state is older than its own messages, it has lost data. Further reads do not bring it back.
 */
const MOST_READS = 3

export const createTable = (name: string, { live, shop, me, update }: TableDeps): Table => {
  const room = live.channel<TableEvents>(`room:table-${name}`)
  /** Clicks on + and - without an answer of the shop, by edit. */
  const pending = new Map<string, { dish: string; delta: number }>()
  /** Start times of edits without an answer, by edit, oldest first. */
  const asked = new Map<string, number>()
  let order: Order | undefined
  let menu: readonly Dish[] = []
  let conflict: Conflict | undefined
  let refusal: string | undefined
  let feed: readonly Change[] = []
  let loading = false
  /** The highest version that a message has announced. */
  let heard = 0

  /** Takes a whole order, unless it is older than the current one. */
  const take = (body: unknown) => {
    const next = orderOf(body)
    if (next && next.version >= (order?.version ?? 0)) order = next
  }

  const load = async () => {
    if (loading) return
    loading = true
    try {
      if (menu.length === 0) {
        const answer = await shop.get('menu')
        menu = (member(answer.body, 'dishes') as Dish[] | undefined) ?? []
      }
      // A message may overtake the answer. Then the order is older than the message, and is read again.
      for (let reads = 1; reads <= MOST_READS; reads++) {
        const { status, body } = await shop.get(`tables/${name}`)
        refusal = status === 200 ? undefined : refusalOf(status, body)
        if (refusal) return
        take(body)
        if (!order || order.version >= heard) return
      }
    } finally {
      loading = false
      update()
    }
  }

  const onChange = (change: Change) => {
    heard = Math.max(heard, change.version)
    pending.delete(change.id)
    feed = [change, ...feed.filter(({ version }) => version !== change.version)].slice(0, MOST_FEED)
    if (order && change.version === order.version + 1) order = applyChange(order, change)
    // A gap: read the order. If there is no order yet, the first read is under way.
    else if (order && change.version > order.version) void load()
    update()
  }

  room.on('message', (message) => onChange(message.data))
  room.on('lost', () => void load())
  // From here on no change is missed, so now the order can be read.
  room.on('state', (state) => {
    if (state === 'live') void load()
  })

  const edit = async (wanted: Edit, based = order?.version ?? 0) => {
    const id = drawId()
    if (wanted.kind === 'quantity') pending.set(id, { dish: wanted.dish, delta: wanted.delta })
    asked.set(id, performance.now())
    refusal = undefined
    update()
    const { status, body } = await shop.post(`tables/${name}/edits`, { id, based, name: me.name, edit: wanted })
    pending.delete(id)
    asked.delete(id)
    if (status === 200) take(body)
    else {
      take(member(body, 'order'))
      const code = refusalOf(status, body)
      const line = wanted.kind === 'note' ? order?.lines.find(({ dish }) => dish === wanted.dish) : undefined
      if (code === 'CONFLICT' && wanted.kind === 'note' && line)
        conflict = { dish: wanted.dish, mine: wanted.note, theirs: line.note }
      else refusal = code
    }
    update()
  }

  return {
    get order() {
      return order
    },
    get menu() {
      return menu
    },
    get conflict() {
      return conflict
    },
    get refusal() {
      return refusal
    },
    get feed() {
      return feed
    },
    quantity: (dish) => {
      const known = order?.lines.find((line) => line.dish === dish)?.quantity ?? 0
      const clicks = [...pending.values()].filter((click) => click.dish === dish)
      return Math.max(
        0,
        clicks.reduce((sum, { delta }) => sum + delta, known),
      )
    },
    isUnsaved: (dish) => [...pending.values()].some((click) => click.dish === dish),
    waitingSince: () => asked.values().next().value,
    edit,
    resolve: (keepMine) => {
      const settled = conflict
      conflict = undefined
      if (settled && keepMine) void edit({ kind: 'note', dish: settled.dish, note: settled.mine })
      update()
    },
    close: () => room.close(),
  }
}

const refusalOf = (status: number, body: unknown): string => {
  const code = member(body, 'code')
  return status !== 0 && typeof code === 'string' ? code : 'NETWORK'
}

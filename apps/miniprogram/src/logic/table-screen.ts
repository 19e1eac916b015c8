import type { LiveState } from '@saoma/client'
import type { Change, Dish, Edit, Line } from './order.ts'

/** A line of the order, including the person's own taps that are still on the way. */
export interface ShownLine extends Line {
  name: string
  /** In fen. */
  price: number
}

/** Two people wrote different notes for one dish. This person decides. */
export interface Conflict {
  dish: string
  mine: string
  theirs: string
}

/**
 * An order that everybody at the table shares.
 *
 * - `ready`: `feed` lists the changes since the page was opened, newest first. `refusal` is why the last edit
 *   failed: a code of the shop or `NETWORK`, which `sayRefusal` puts into words.
 * - `failed`: the order could not be read; `code` is like `refusal`.
 */
export type TableScreen =
  | { status: 'loading' }
  | { status: 'failed'; code: string }
  | {
      status: 'ready'
      connection: LiveState
      isPlaced: boolean
      menu: readonly (Dish & { label: string; quantity: number })[]
      lines: readonly ShownLine[]
      /** In fen. */
      total: number
      feed: readonly Change[]
      conflict?: Conflict
      refusal?: string
    }

export interface TablePage {
  readonly screen: TableScreen
  /** The shop makes the edit once, however often it is sent. */
  edit(edit: Edit): Promise<void>
  /** Ends the conflict with the other person's note, or with one's own. */
  resolve(keepMine: boolean): Promise<void>
  /** Reads the order again. */
  retry(): void
  close(): void
}

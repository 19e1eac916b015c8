import type { LiveState } from '@saoma/client'
import type { Change, Dish, Edit, Line } from './order.ts'

/** A line of the slip, with the person's own taps that are still on the way. */
export interface ShownLine extends Line {
  name: string
  /** In fen. */
  price: number
}

/** Two people wrote different notes for one dish: this person decides. */
export interface Conflict {
  dish: string
  mine: string
  theirs: string
}

/**
 * One slip that everybody at the table writes on.
 *
 * - `ready`: `feed` is what was done since the page was opened, newest first. `refusal` is why the last edit
 *   was not made, a code of the shop or `NETWORK`, to be put into words by `sayRefusal`.
 * - `failed`: it cannot be read; `code` as `refusal`.
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
  /** Asked of the shop once, however often it has to be sent. */
  edit(edit: Edit): Promise<void>
  /** Ends the conflict with the other's note, or with one's own. */
  resolve(keepMine: boolean): Promise<void>
  /** Reads it again. */
  retry(): void
  close(): void
}

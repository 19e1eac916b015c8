/** The totals of the books. Each text names a channel, a reader and offsets. */
export interface Account {
  acknowledged: number
  received: number
  lost: number
  duplicated: number
  disordered: number
  wrong: number
  /** The first cases of each kind. */
  named: { lost: string[]; duplicated: string[]; disordered: string[]; wrong: string[] }
}

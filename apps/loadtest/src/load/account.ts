/** How the books stand. Each text names a channel, a reader and offsets. */
export interface Account {
  acknowledged: number
  received: number
  lost: number
  duplicated: number
  disordered: number
  wrong: number
  /** The first of each kind. */
  named: { lost: string[]; duplicated: string[]; disordered: string[]; wrong: string[] }
}

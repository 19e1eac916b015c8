/**
 * One or more listeners. A single one is stored without an array: most channels have one, and there is a
 * channel for each waiting browser. A base class, because a member would be one more object for each.
 */
export class Listeners<T extends object> {
  #all: T | readonly T[]

  constructor(first: T) {
    this.#all = first
  }

  add(listener: T): void {
    this.#all = [...this.#list(), listener]
  }

  /** Removes a listener once, even if it was added twice. Returns whether none is left. */
  remove(listener: T): boolean {
    const list = this.#list()
    const at = list.indexOf(listener)
    if (at < 0) return false
    // A new array, because `each` may be iterating over the old one.
    this.#all = list.toSpliced(at, 1)
    return list.length === 1
  }

  /** Calls the present listeners in the order in which they were added. */
  protected each(act: (listener: T) => void): void {
    if (Array.isArray(this.#all)) for (const listener of this.#all) act(listener)
    else act(this.#all as T)
  }

  #list(): readonly T[] {
    return Array.isArray(this.#all) ? this.#all : [this.#all as T]
  }
}

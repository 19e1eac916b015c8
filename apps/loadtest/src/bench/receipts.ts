/** Counts what the clients receive. Each push must arrive exactly once. */
export const createReceipts = () => {
  const counts = new Map<string, number>()
  let missing = 0
  let complete = () => {}

  return {
    /** Begins a new count. */
    expect: (ids: readonly string[]): void => {
      counts.clear()
      for (const id of ids) counts.set(id, 0)
      missing = ids.length
    },

    take: (id: string): void => {
      const count = counts.get(id)
      if (count === undefined) return
      counts.set(id, count + 1)
      if (count === 0 && --missing === 0) complete()
    },

    /** Resolves when all have arrived. After `timeoutMs` it rejects with the number of missing ones. */
    all: (timeoutMs: number): Promise<void> =>
      new Promise((resolve, reject) => {
        if (missing === 0) return resolve()
        const lost = () => reject(new Error(`${missing} of ${counts.size} pushes were lost`))
        const timer = setTimeout(lost, timeoutMs)
        complete = () => {
          clearTimeout(timer)
          resolve()
        }
      }),

    /** Throws if a push arrived more than once. */
    assertOnce: (): void => {
      const repeated = [...counts.values()].filter((count) => count > 1).length
      if (repeated > 0) throw new Error(`${repeated} of ${counts.size} pushes arrived more than once`)
    },
  }
}

export type Receipts = ReturnType<typeof createReceipts>

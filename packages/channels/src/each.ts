/** Works through all items, at most so many at once. Rejects with the first failure. */
export const eachAtOnce = async <T>(
  most: number,
  items: Iterable<T>,
  work: (item: T) => Promise<unknown>,
): Promise<void> => {
  // Shared by all workers: each takes the next item when it is done with one.
  const left = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: most }, worker))
}

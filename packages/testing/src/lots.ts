/**
 * Does the work for each, a lot at a time, and gives what came of it in the same order. On a busy machine a
 * thousand commands at once wait for longer than the three seconds that each has.
 */
export const inLots = async <T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  most = 100,
): Promise<R[]> => {
  const results: R[] = []
  for (let at = 0; at < items.length; at += most)
    results.push(...(await Promise.all(items.slice(at, at + most).map((item, i) => work(item, at + i)))))
  return results
}

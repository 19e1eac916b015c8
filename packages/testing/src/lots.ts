/**
 * Maps items in batches, and keeps the order of the results. On a busy machine a thousand commands at once
 * would exceed the timeout of three seconds that each one has.
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

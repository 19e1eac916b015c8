/** The cycles of a graph, one for each edge that closes a cycle. Each is a path that returns to its start. */
export const findCycles = (edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] => {
  const cycles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []

  const visit = (name: string): void => {
    const begin = path.indexOf(name)
    if (begin >= 0) {
      cycles.push([...path.slice(begin), name])
      return
    }
    if (done.has(name)) return
    path.push(name)
    for (const next of edges.get(name) ?? []) visit(next)
    path.pop()
    done.add(name)
  }

  for (const name of edges.keys()) visit(name)
  return cycles
}

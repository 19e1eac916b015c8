const TOKEN = /"(?:[^"\\\n]|\\.)*"|[[\]{}:]|\n/g

/** Where the parts of a list of objects stand in its text. */
export interface ObjectLines {
  /** The line at which the object begins, counted from 1. */
  line: number
  /** The lines of its members. */
  members: ReadonlyMap<string, number>
}

/**
 * The lines of a JSON text that is a list of objects, for messages about them. It expects valid JSON: of
 * anything else the lines may be wrong.
 */
export const linesOfObjects = (text: string): ObjectLines[] => {
  const found: { line: number; members: Map<string, number> }[] = []
  let line = 1
  let depth = 0
  let named: { name: string; line: number } | undefined
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '\n') line++
    else if (token === '{' || token === '[') {
      if (token === '{' && depth === 1) found.push({ line, members: new Map() })
      depth++
    } else if (token === '}' || token === ']') depth--
    else if (token === ':' && depth === 2 && named) found.at(-1)?.members.set(named.name, named.line)
    named = token.startsWith('"') ? { name: JSON.parse(token) as string, line } : token === '\n' ? named : undefined
  }
  return found
}

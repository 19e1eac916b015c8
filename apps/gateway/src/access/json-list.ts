const TOKEN = /"(?:[^"\\\n]|\\.)*"|[[\]{}:]|\n/g

/** Where the parts of a list of objects stand in its text. */
interface ObjectLines {
  /** The line at which the object begins, counted from 1. */
  line: number
  /** The lines of its members. */
  members: ReadonlyMap<string, number>
}

/**
 * The lines of a JSON text that is a list of objects, for messages about them. It expects valid JSON: of
 * anything else the lines may be wrong.
 */
const linesOfObjects = (text: string): ObjectLines[] => {
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

const lineOfError = (error: unknown, text: string): number => {
  const [, position = text.length] = /position (\d+)/.exec((error as SyntaxError).message) ?? []
  return text.slice(0, Number(position)).split('\n').length
}

/**
 * Reads a JSON list of objects, one by one. An empty text is an empty list. Returns what is wrong, each
 * problem as a sentence with its line.
 *
 * @param plural  what the objects are called
 * @param read  reads one. `wrong` takes a sentence about it, or the end of one that begins with a member.
 */
export const readJsonList = (
  text: string,
  plural: string,
  read: (item: unknown, wrong: (what: string, member?: string) => void) => void,
): string[] => {
  if (text.trim() === '') return []
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (error) {
    return [`line ${lineOfError(error, text)}: it is not JSON`]
  }
  if (!Array.isArray(list)) return [`line 1: it must be a JSON list of ${plural}`]
  const lines = linesOfObjects(text).values()
  const problems: string[] = []
  for (const item of list) {
    const isObject = typeof item === 'object' && item !== null && !Array.isArray(item)
    const { line = 1, members }: Partial<ObjectLines> = (isObject ? lines.next().value : undefined) ?? {}
    read(item, (what, member) =>
      problems.push(
        member === undefined ? `line ${line}: ${what}` : `line ${members?.get(member) ?? line}: ${member} ${what}`,
      ),
    )
  }
  return problems
}

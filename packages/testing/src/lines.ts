/** One line of output. `json` is set when it is a JSON object, as the log lines of our programs are. */
export interface Line {
  text: string
  json?: Record<string, unknown>
}

interface Waiter {
  matches: (line: Line) => boolean
  give: (line: Line) => void
}

/** Lines kept for somebody who asks later. */
const KEPT_LINES = 5_000

const parse = (text: string): Line => {
  if (!text.startsWith('{')) return { text }
  try {
    return { text, json: JSON.parse(text) }
  } catch {
    return { text } // A program may print something that only looks like JSON.
  }
}

/**
 * Output of a process, by line: each line goes to one `next` at most, whether it was asked for before or
 * after it came.
 */
export const createLines = () => {
  const all: Line[] = []
  const given = new WeakSet<Line>()
  const waiting = new Set<Waiter>()
  let partial = ''

  const add = (text: string): Line => {
    const line = parse(text)
    all.push(line)
    if (all.length > KEPT_LINES) all.shift()
    for (const waiter of waiting) {
      if (!waiter.matches(line)) continue
      given.add(line)
      waiter.give(line)
      break
    }
    return line
  }

  return {
    all,

    /** Takes a piece of output and returns the lines it completes. */
    push: (chunk: string): Line[] => {
      const pieces = (partial + chunk).split('\n')
      partial = pieces.pop() ?? ''
      return pieces.map(add)
    },

    /** The last lines, for a message. */
    tail: (count = 20): string =>
      [...all.slice(-count).map(({ text }) => text), ...(partial ? [partial] : [])].join('\n'),

    /** The first line that matches and that nobody was given yet. Rejects with the signal's reason. */
    next: (matches: (line: Line) => boolean, signal: AbortSignal): Promise<Line> => {
      const past = all.find((line) => !given.has(line) && matches(line))
      if (past) {
        given.add(past)
        return Promise.resolve(past)
      }
      return new Promise((resolve, reject) => {
        const settle = () => {
          waiting.delete(waiter)
          signal.removeEventListener('abort', abort)
        }
        const abort = () => {
          settle()
          reject(signal.reason)
        }
        const waiter: Waiter = {
          matches,
          give: (line) => {
            settle()
            resolve(line)
          },
        }
        if (signal.aborted) return reject(signal.reason)
        signal.addEventListener('abort', abort)
        waiting.add(waiter)
      })
    },
  }
}

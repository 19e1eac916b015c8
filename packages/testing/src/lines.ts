/** One line of output. `json` is set when it is a JSON object, as the log lines of our programs are. */
export interface Line {
  text: string
  json?: Record<string, unknown>
}

interface Waiter {
  matches: (line: Line) => boolean
  give: (line: Line) => void
}

/** Lines that are kept for later calls. */
const KEPT_LINES = 5_000

const parse = (text: string): Line => {
  if (!text.startsWith('{')) return { text }
  try {
    return { text, json: JSON.parse(text) }
  } catch {
    return { text } // Some output only looks like JSON.
  }
}

/**
 * Output of a process, line by line. Each line is returned by at most one `next`, whether it was called
 * before or after the line arrived.
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

    /** Takes a chunk of output and returns the lines that it completes. */
    push: (chunk: string): Line[] => {
      const pieces = (partial + chunk).split('\n')
      partial = pieces.pop() ?? ''
      return pieces.map(add)
    },

    /** The last lines, for a message. */
    tail: (count = 20): string =>
      [...all.slice(-count).map(({ text }) => text), ...(partial ? [partial] : [])].join('\n'),

    /** The first matching line that was not returned yet. Rejects with the signal's reason. */
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

import { inspect } from 'node:util'
import { type Example, inOrder, type Printed } from './example.ts'

/** What examples print while they run. */
export interface Transcript {
  /** What stands in place of `console.log`. */
  take(title: string, line: number, ...values: unknown[]): void
  /** Resolves when the example has printed as much as it says. Rejects after 20 s, with what is missing. */
  whole(example: Example): Promise<void>
  /**
   * All that the example has printed so far, and all that it says it prints, in the same order. What comes
   * after `whole` is seen only if the place where the example runs is closed before.
   */
  compare(example: Example): { printed: string[]; documented: string[] }
}

/** As Node prints it, on one line. */
export const textOf = (values: readonly unknown[]): string =>
  values
    .map((value) => (typeof value === 'string' ? value : inspect(value, { breakLength: Infinity, compact: 99 })))
    .join(' ')

/** No example waits for longer than a few round trips; this ends one that hangs. */
const WITHIN_MS = 20_000

export const createTranscript = (): Transcript => {
  const transcripts = new Map<string, Printed[]>()
  const waiting = new Set<() => void>()
  const printedBy = (title: string) => transcripts.get(title) ?? []

  const compare = ({ title, printed }: Example) => ({
    printed: inOrder(printedBy(title)),
    documented: inOrder(printed),
  })

  return {
    compare,
    take: (title, line, ...values) => {
      transcripts.set(title, [...printedBy(title), { line, text: textOf(values) }])
      for (const look of [...waiting]) look()
    },
    whole: (example) =>
      new Promise<void>((resolve, reject) => {
        const end = () => {
          clearTimeout(timer)
          waiting.delete(look)
        }
        const look = () => {
          if (printedBy(example.title).length < example.printed.length) return
          end()
          resolve()
        }
        const timer = setTimeout(() => {
          end()
          reject(new Error(`${example.title} did not print all that it says: ${inspect(compare(example))}`))
        }, WITHIN_MS)
        waiting.add(look)
        look()
      }),
  }
}

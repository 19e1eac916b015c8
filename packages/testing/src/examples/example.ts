import { basename } from 'node:path'
import type { PublicName } from './public-names.ts'

/** An `@example` of a public function, and what it says of its own outcome. */
export interface Example {
  /** For messages and files: `wx-createWxFetch`. */
  title: string
  /** `ts`, `tsx` or `vue`. */
  language: string
  code: string
  /** What each `console.log` prints, in the order of the code. */
  printed: readonly Printed[]
  /** Texts that the page shows, one after the other. */
  shown: readonly string[]
}

/** What one `console.log` printed. */
export interface Printed {
  /** Of the code, counted from 0. */
  line: number
  text: string
}

/** Stands for Saoma in all documentation. */
export const DOCUMENTED_ORIGIN = 'https://login.example.com'

/** `// -> text`, and `<!-- -> text -->` in a template. */
const PRINTS = /(?:\/\/|<!--) ->(?: (.*?))?(?: -->)?$/
/** `// shows: text`, and the same in a template. */
const SHOWS = /^\s*(?:\/\/|<!--) shows: (.*?)(?: -->)?$/
const LOG = 'console.log('

/** Reads the examples of a function. Throws if one says what no `console.log` prints. */
export const examplesOf = ({ name, file, examples }: PublicName): Example[] =>
  examples.map(({ language, code }, at) => {
    const title = `${basename(file, '.ts')}-${name}${examples.length > 1 ? `-${at + 1}` : ''}`
    const printed: Printed[] = []
    const shown: string[] = []
    let last = -1
    for (const [line, text] of code.split('\n').entries()) {
      const logs = text.split('console.log').length - 1
      if (logs > 1 || (logs === 1 && !text.includes(LOG))) throw new Error(`${title} has to call ${LOG}) once: ${text}`)
      if (logs === 1) last = line
      const prints = PRINTS.exec(text)
      const shows = SHOWS.exec(text)?.[1]
      if (shows !== undefined) shown.push(shows)
      if (!prints) continue
      if (last < 0) throw new Error(`${title} says what is printed, and prints nothing: ${text}`)
      printed.push({ line: last, text: prints[1] ?? '' })
    }
    return { title, language, code, printed, shown }
  })

/** The name of the global function that takes the place of `console.log` in a running example. */
export const PRINT = 'saomaPrints'

/**
 * The code to run: with the origin of a cluster in place of the documented one, and with each `console.log`
 * replaced by a function that also gets the title of the example and the number of the line.
 */
export const runnable = ({ title, code }: Example, origin: string): string =>
  code
    .split('\n')
    .map((text, line) => text.replace(LOG, `globalThis.${PRINT}('${title}', ${line}, `))
    .join('\n')
    .replaceAll(DOCUMENTED_ORIGIN, origin)

/** In the order of the code. What one `console.log` printed stays in the order of time. */
export const inOrder = (printed: readonly Printed[]): string[] =>
  printed.toSorted((a, b) => a.line - b.line).map(({ line, text }) => `line ${line + 1}: ${text}`)

import { readFileSync } from 'node:fs'

/** The code under a heading of a page of documentation, so that a test runs what people copy. */
export interface Documented {
  /** As in Markdown: `js`, `jsx`, `vue`. */
  language: string
  code: string
}

const FENCE = /^```(\w*)$/
const HEADING = /^#+ (.*)$/

/**
 * Every block of code below the heading, up to the next heading.
 *
 * @param page     relative to the root of the repository: `docs/login.md`
 * @param heading  without its `#`: `In React`
 */
export const documented = (page: string, heading: string): Documented[] => {
  const lines = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8').split('\n')
  const blocks: Documented[] = []
  let isUnder = false
  let block: { language: string; lines: string[] } | undefined
  for (const line of lines) {
    const fence = FENCE.exec(line)
    if (block && fence) {
      if (isUnder) blocks.push({ language: block.language, code: `${block.lines.join('\n')}\n` })
      block = undefined
    } else if (block) {
      block.lines.push(line)
    } else if (fence) {
      block = { language: fence[1] ?? '', lines: [] }
    } else {
      const title = HEADING.exec(line)?.[1]
      if (title !== undefined) isUnder = title === heading
    }
  }
  if (blocks.length === 0) throw new Error(`${page} has no code under "${heading}"`)
  return blocks
}

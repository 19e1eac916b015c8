import { readFileSync } from 'node:fs'

/** The code under a heading of a page of documentation, so that a test runs what people copy. */
export interface Documented {
  /** As in Markdown: `js`, `jsx`, `vue`. Empty where the page names none. */
  language: string
  code: string
}

/** A fenced block of a page, and where it stands. */
export interface PageBlock extends Documented {
  /** The heading above it, without its `#`; empty before the first one. */
  heading: string
  /** The paragraph before it, in one line: it names the file that the block is, if it is one. */
  before: string
}

const FENCE = /^```(\w*)$/
const HEADING = /^#+ (.*)$/

/**
 * Every fenced block of a page, in its order. Blocks inside lists are indented and do not count.
 *
 * @param page  relative to the root of the repository: `docs/login.md`
 */
export const pageBlocks = (page: string): PageBlock[] => {
  const lines = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8').split('\n')
  const blocks: PageBlock[] = []
  let heading = ''
  let paragraph: string[] = []
  let isOver = false
  let block: { language: string; lines: string[] } | undefined
  for (const line of lines) {
    const fence = FENCE.exec(line)
    if (block && fence) {
      const { language } = block
      blocks.push({ heading, before: paragraph.join(' '), language, code: `${block.lines.join('\n')}\n` })
      block = undefined
      paragraph = []
    } else if (block) {
      block.lines.push(line)
    } else if (fence) {
      block = { language: fence[1] ?? '', lines: [] }
    } else {
      const title = HEADING.exec(line)?.[1]
      if (title !== undefined) heading = title
      // What comes after an empty line is another paragraph.
      if (title !== undefined || (line !== '' && isOver)) paragraph = []
      if (line !== '' && title === undefined) paragraph.push(line)
      isOver = line === ''
    }
  }
  return blocks
}

/**
 * Every block of code below the heading, up to the next heading.
 *
 * @param page     relative to the root of the repository: `docs/login.md`
 * @param heading  without its `#`: `In React`
 */
export const documented = (page: string, heading: string): Documented[] => {
  const blocks = pageBlocks(page).filter((block) => block.heading === heading)
  if (blocks.length === 0) throw new Error(`${page} has no code under "${heading}"`)
  return blocks.map(({ language, code }) => ({ language, code }))
}

import { withoutComments } from '@saoma/testing'

/** A heading of a page whose blocks a test takes. */
export interface TakenBlocks {
  page: string
  heading: string
}

const NAME = /^const (\w+) = (['"])(.*?)\2$/gm
const NAMES = /^(?:export )?const \[([\w, ]+)\] = \[(.*)\] as const$/gm
const CALL = /\b(?:documented|documentedCode|codeOf)\(([^()]*)\)/g
const TEXT = /(['"])(.*?)\1/
/** The contract of components reads its heading on both of these pages. */
const CONTRACT = /\brunComponentContract\(\{[\s\S]*?^ {2}heading: (['"])(.*?)\1,$/m
const PAGES_OF_CONTRACT = ['docs/login.md', 'docs/live.md']

/** The values of the constants of a file that are texts. */
const textsIn = (source: string): Map<string, string> => {
  const texts = new Map<string, string>()
  for (const [, name = '', , text = ''] of source.matchAll(NAME)) texts.set(name, text)
  for (const [, names = '', values = ''] of source.matchAll(NAMES)) {
    const all = values.split(',').map((value) => TEXT.exec(value)?.[2] ?? '')
    for (const [at, name] of names.split(',').entries()) texts.set(name.trim(), all[at] ?? '')
  }
  return texts
}

/**
 * Which blocks the source of a test takes: the pages and headings in its calls of `documented`,
 * `documentedCode` or `codeOf`, and the heading of a contract of components. Comments do not count.
 */
export const blocksTakenBy = (text: string): TakenBlocks[] => {
  const source = withoutComments(text)
  const texts = textsIn(source)
  const called = [...source.matchAll(CALL)].flatMap(([, given = '']) => {
    const values = given.split(/,\s*/).map((one) => TEXT.exec(one)?.[2] ?? texts.get(one.trim()) ?? '')
    const at = values.findIndex((value) => value.endsWith('.md'))
    const [page, heading] = at < 0 ? [] : values.slice(at)
    return page && heading ? [{ page, heading }] : []
  })
  const heading = CONTRACT.exec(source)?.[2]
  return [...called, ...(heading ? PAGES_OF_CONTRACT.map((page) => ({ page, heading })) : [])]
}

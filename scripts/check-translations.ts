/*
 * A Chinese page says what the English one says. A machine cannot read both, but it sees what must be the
 * same: the levels of the headings in their order, the code, the size of the tables, and where each section
 * links to. So a change of one page that the other lacks does not go unnoticed.
 *
 * - Code is the same, except for comments. A block without a language is a picture in letters: there only the
 *   number of lines counts.
 * - Links are compared within a section, in any order. A link to a page that has a translation leads to the
 *   translation, and a link to a heading to the heading at the same place of that page. Besides, each Chinese
 *   page links to its English one, for those who read it on GitHub.
 *
 *   node scripts/check-translations.ts [--root <folder>]
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { targetOf } from '@saoma/docs/src/links.ts'
import { type Code, type Link, type Outline, outlineOf } from '@saoma/docs/src/markdown.ts'
import { pages } from '@saoma/docs/src/pages.ts'
import { filesBelow } from './files.ts'

interface Pair {
  english: string
  chinese: string
}

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const { root } = values

/** The home page is written for each language. */
const pairs: readonly Pair[] = pages.flatMap(({ file, address, fileZh }) =>
  fileZh && address !== 'index' ? [{ english: file, chinese: fileZh }] : [],
)
const englishOf = new Map(pairs.map(({ english, chinese }) => [chinese, english]))

const outlines = new Map<string, Outline>()
const readOutline = (file: string): Outline => {
  const outline = outlines.get(file) ?? outlineOf(readFileSync(join(root, file), 'utf8'))
  outlines.set(file, outline)
  return outline
}
const isThere = (file: string): boolean => existsSync(join(root, file))

const COMMENTS: readonly [languages: RegExp, comment: RegExp][] = [
  [/^(?:sh|bash|shell|ya?ml|py|python|ini|toml|nginx|caddyfile|haproxy|dockerfile|env)$/i, /(?:^|\s)#(?!!).*$/],
  [/^(?:[jt]sx?|javascript|typescript|java|go|kotlin|swift|c|cpp|jsonc?)$/i, /(?:^|\s)(?:\/\/|\/?\*).*$/],
  [/^(?:html|xml|vue|wxml)$/i, /\s*(?:<!--.*?-->|(?:^|\s)\/\/.*)$/],
  [/^(?:lua|sql)$/i, /(?:^|\s)--.*$/],
]

/** Code without its comments and without the lines that are only that. */
const bareOf = ({ language, text }: Code): string => {
  if (language === '' || language === 'text') return `${text.split('\n').length} lines`
  const comment = COMMENTS.find(([languages]) => languages.test(language))?.[1]
  return text
    .split('\n')
    .map((line) => (comment ? line.replace(comment, '') : line).trimEnd())
    .filter((line) => line !== '')
    .join('\n')
}

/** A link in words that are the same for both languages. */
const meaningOf = (file: string, { href }: Link): string => {
  const target = href.startsWith('#') ? { file, hash: href } : targetOf(file, href)
  if (!target) return href.replace(/^\/zh\//, '/')
  const page = englishOf.get(target.file) ?? target.file
  if (target.hash === '' || !target.file.endsWith('.md') || !isThere(target.file)) return `${page}${target.hash}`
  const anchor = decodeURIComponent(target.hash.slice(1))
  const place = readOutline(target.file).headings.findIndex((heading) => heading.anchor === anchor)
  const name = isThere(page) ? readOutline(page).headings[place]?.anchor : undefined
  return `${page}#${name ?? anchor}`
}

/** What the first list has more of than the second. */
const without = (these: readonly string[], those: readonly string[]): string[] => {
  const left = [...those]
  return these.filter((one) => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

const compareHeadings = (a: Outline, b: Outline, { english, chinese }: Pair): string[] => {
  const at = a.headings.findIndex((heading, i) => heading.level !== b.headings[i]?.level)
  const [here, there] = [b.headings[at < 0 ? a.headings.length : at], a.headings[at]]
  if (!here && !there) return []
  const name = (heading: typeof here): string =>
    heading ? `“${heading.text}” (level ${heading.level}, line ${heading.line})` : 'no heading'
  return [`${chinese}:${here?.line ?? 1} has ${name(here)} where ${english} has ${name(there)}`]
}

const compareCode = (a: Outline, b: Outline, { english, chinese }: Pair): string[] => {
  if (a.codes.length !== b.codes.length)
    return [`${chinese} has ${b.codes.length} blocks of code, and ${english} has ${a.codes.length}`]
  return a.codes.flatMap((code, i) => {
    const other = b.codes[i]
    if (!other || (other.language === code.language && bareOf(other) === bareOf(code))) return []
    return [`${chinese}:${other.line} is other code than ${english}:${code.line}`]
  })
}

const compareTables = (a: Outline, b: Outline, { english, chinese }: Pair): string[] => {
  if (a.tables.length !== b.tables.length)
    return [`${chinese} has ${b.tables.length} tables, and ${english} has ${a.tables.length}`]
  return a.tables.flatMap(({ rows, columns, line }, i) => {
    const other = b.tables[i]
    if (!other || (other.rows === rows && other.columns === columns)) return []
    const size = `${other.rows} rows and ${other.columns} columns`
    return [`${chinese}:${other.line} has ${size}, and ${english}:${line} has ${rows} and ${columns}`]
  })
}

/** Whether a link of a Chinese page leads to the same page in English. */
const isToEnglish = (href: string, { english, chinese }: Pair): boolean => {
  const target = targetOf(chinese, href)
  return target?.file === english && target.hash === ''
}

const compareLinks = (a: Outline, b: Outline, pair: Pair): string[] => {
  const { english, chinese } = pair
  return Array.from({ length: a.headings.length + 1 }, (_, section) => section).flatMap((section) => {
    const meant = (outline: Outline, file: string) =>
      outline.links
        .filter((link) => link.section === section && !(file === chinese && isToEnglish(link.href, pair)))
        .map((link) => meaningOf(file, link))
    const [these, those] = [meant(a, english), meant(b, chinese)]
    const line = b.headings[section - 1]?.line ?? 1
    return [
      ...without(these, those).map((link) => `${chinese}:${line} does not link to ${link}, as ${english} does here`),
      ...without(those, these).map((link) => `${chinese}:${line} links to ${link}, which ${english} does not here`),
    ]
  })
}

/** Links to an English page that has a translation. */
const wrongLanguage = ({ links }: Outline, pair: Pair): string[] => {
  const wrong = links.flatMap(({ href, line }) => {
    const target = targetOf(pair.chinese, href)?.file
    const translation = pairs.find(({ english }) => english === target)?.chinese
    if (!translation || !isThere(translation) || isToEnglish(href, pair)) return []
    return [`${pair.chinese}:${line} links to ${target}, which is in Chinese at ${translation}`]
  })
  // The pages that the site alone has are not read on GitHub.
  if (!pair.chinese.startsWith('docs/') || links.some(({ href }) => isToEnglish(href, pair))) return wrong
  return [...wrong, `${pair.chinese} has no link to ${pair.english}`]
}

const comparePair = (pair: Pair): string[] => {
  const missing = [pair.english, pair.chinese].filter((file) => !isThere(file))
  if (missing.length > 0) return missing.map((file) => `${file} is a page of the site, and not written yet`)
  const [a, b] = [readOutline(pair.english), readOutline(pair.chinese)]
  const wrong = compareHeadings(a, b, pair)
  // Sections that are not the same cannot be compared by their order.
  const links = wrong.length > 0 ? [] : compareLinks(a, b, pair)
  return [...wrong, ...compareCode(a, b, pair), ...compareTables(a, b, pair), ...links, ...wrongLanguage(b, pair)]
}

const strays = filesBelow(root).filter((file) => /^docs\/zh\/.*\.md$/.test(file) && !englishOf.has(file))
const problems = [
  ...pairs.flatMap(comparePair),
  ...strays.map((file) => `${file} is no page of apps/docs/src/pages.ts`),
]
for (const problem of problems) console.error(problem)
if (problems.length === 0)
  console.log('Translations: each Chinese page has the headings, code and links of the English.')
process.exitCode = problems.length === 0 ? 0 : 1

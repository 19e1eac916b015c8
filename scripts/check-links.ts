/*
 * Markdown pages link to files, to other pages and to headings. This check fails if the file is not there, or
 * if no heading has the anchor. The anchors are those of GitHub, and the site has the same.
 *
 *   node scripts/check-links.ts [--root <folder>]
 */

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { targetOf } from '@saoma/docs/src/links.ts'
import { outlineOf } from '@saoma/docs/src/markdown.ts'
import { filesBelow } from './files.ts'

/** Pages of the site alone. They may link to its addresses, which its build checks. */
const OF_THE_SITE = 'apps/docs/pages/'
/** A line of a program, as GitHub shows it. */
const LINES = /^L\d+(?:-L\d+)?$/
/** Programs and settings name pages with an anchor, too, in sentences for people. */
const NAMES = /(?<![\w./-])((?:docs|apps|packages|k8s)\/[\w./-]+\.md|[A-Z]+\.md)#([\p{L}\p{N}_-]+)/gu
const SPEAKS = /\.(?:[cm]?[jt]s|lua|sh|ya?ml|json|template)$|(?:^|\/)Dockerfile$/
/** Made-up pages of tests. */
const SILENT = /(?:^|\/)test\//

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const { root } = values
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const isFolder = (file: string): boolean => statSync(join(root, file)).isDirectory()

const known = new Map<string, ReadonlySet<string>>()
const anchorsOf = (page: string): ReadonlySet<string> => {
  const anchors = known.get(page)
  if (anchors) return anchors
  const { headings, anchors: own } = outlineOf(read(page))
  const all = new Set([...headings.map(({ anchor }) => anchor), ...own])
  known.set(page, all)
  return all
}

/** What is wrong with a link to a file of the repository. */
const wrongTarget = (file: string, hash: string): string | undefined => {
  if (!existsSync(join(root, file))) return `links to ${file}, which is not there`
  const anchor = decodeURIComponent(hash)
  if (anchor === '' || (!file.endsWith('.md') && LINES.test(anchor))) return undefined
  if (isFolder(file) || !file.endsWith('.md')) return `links to #${anchor} of ${file}, which is no page`
  return anchorsOf(file).has(anchor) ? undefined : `links to #${anchor}, which is no heading of ${file}`
}

const wrongLink = (file: string, href: string): string | undefined => {
  if (href.startsWith('#')) return wrongTarget(file, href.slice(1))
  const target = targetOf(file, href)
  if (target) return wrongTarget(target.file, target.hash.slice(1))
  if (href.startsWith('/') && !file.startsWith(OF_THE_SITE)) return `links to ${href}: write it relative to the page`
  return undefined
}

const wrongPage = (file: string): string[] =>
  outlineOf(read(file)).links.flatMap(({ href, line }) => {
    const wrong = wrongLink(file, href)
    return wrong ? [`${file}:${line} ${wrong}`] : []
  })

const wrongProgram = (file: string): string[] =>
  read(file)
    .split('\n')
    .flatMap((line, i) =>
      [...line.matchAll(NAMES)].flatMap(([, page = '', anchor = '']) => {
        const wrong = wrongTarget(page, anchor)
        return wrong ? [`${file}:${i + 1} ${wrong}`] : []
      }),
    )

const files = filesBelow(root)
const problems = [
  ...files.filter((file) => file.endsWith('.md')).flatMap(wrongPage),
  ...files.filter((file) => SPEAKS.test(file) && !SILENT.test(file)).flatMap(wrongProgram),
]
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('Links: every page, file and heading that is linked to is there.')
process.exitCode = problems.length === 0 ? 0 : 1

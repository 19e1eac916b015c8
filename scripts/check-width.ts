/*
 * A line of prose has at most 110 columns, in Markdown and in comments. A diff then shows just the changed
 * sentence, and two versions fit side by side. Tables, code and unbreakable lines are exempt.
 *
 *   node scripts/check-width.ts [file…]    those files; by default the whole repository
 */

import { readFileSync } from 'node:fs'
import { filesBelow } from './files.ts'

const MOST = 110

/** How comments begin, by file extension. */
const comments: readonly [files: RegExp, comment: RegExp][] = [
  [/\.[cm]?[jt]s$/, /^\s*(?:\/\/|\/?\*)/],
  [/\.lua$/, /^\s*--/],
  [/\.(?:sh|ya?ml|template)$|(?:^|\/)Dockerfile/, /^\s*# /],
]

const widthOf = (line: string): number => [...line].length
/** For example a long address. */
const isUnbreakable = (line: string): boolean =>
  !/\S\s+\S/.test(line.replace(/^\s*(?:\/\/|\/?\*+|--|#|[-*]|\d+\.)\s+/, ''))

const isWide = (line: string): boolean => widthOf(line) > MOST && !isUnbreakable(line)

/** The numbers of all lines that are too wide. */
const wideLines = (file: string, text: string): number[] => {
  const lines = text.split('\n')
  if (file.endsWith('.md')) {
    let isCode = false
    return lines.flatMap((line, i) => {
      if (/^\s*(?:```|~~~)/.test(line)) isCode = !isCode
      return !isCode && !/^\s*\|/.test(line) && isWide(line) ? [i + 1] : []
    })
  }
  const comment = comments.find(([files]) => files.test(file))?.[1]
  return comment ? lines.flatMap((line, i) => (comment.test(line) && isWide(line) ? [i + 1] : [])) : []
}

const files = process.argv.length > 2 ? process.argv.slice(2) : filesBelow('.')
const wide = files.flatMap((file) => wideLines(file, readFileSync(file, 'utf8')).map((line) => `${file}:${line}`))
for (const place of wide) console.error(`${place} is wider than ${MOST} columns`)
if (wide.length === 0) console.log(`Width: no line of prose is wider than ${MOST} columns.`)
process.exitCode = wide.length === 0 ? 0 : 1

import type { Documented } from '../documented.ts'

export interface Docstring {
  /** Up to the first tag; empty without a docstring. */
  prose: string
  /** The blocks of code below each `@example`. */
  examples: Documented[]
}

const FENCE = /^```(\w*)$/
const TAG = /^@(\w+)/

/** The text of a comment, without its stars. */
const linesOf = (comment: string): string[] =>
  comment
    .replace(/^\/\*\*/, '')
    .replace(/\*\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())

const read = (comment: string): Docstring => {
  const prose: string[] = []
  const examples: Documented[] = []
  let tag: string | undefined
  let block: { language: string; lines: string[] } | undefined
  for (const line of linesOf(comment)) {
    const fence = FENCE.exec(line)
    if (block && fence) {
      examples.push({ language: block.language, code: `${block.lines.join('\n')}\n` })
      block = undefined
    } else if (block) {
      block.lines.push(line)
    } else if (fence && tag === 'example') {
      block = { language: fence[1] ?? '', lines: [] }
    } else {
      tag = TAG.exec(line.trim())?.[1] ?? tag
      if (tag === undefined) prose.push(line.trim())
    }
  }
  if (block) throw new Error(`a block of code has no end:\n${comment}`)
  return { prose: prose.join(' ').trim(), examples }
}

/** The comment that ends directly above this place of the source. */
const commentAbove = (source: string, at: number): string => {
  const before = source.slice(0, at).trimEnd()
  if (!before.endsWith('*/')) return ''
  const comment = before.slice(before.lastIndexOf('/*'))
  return comment.startsWith('/**') ? comment : ''
}

/**
 * What is written above the declaration of an exported name. Undefined if this source does not declare it.
 * Of a function with several signatures it is what stands above the first.
 */
export const docstringOf = (source: string, name: string): Docstring | undefined => {
  const declared = new RegExp(
    `^export (?:abstract |async )*(?:const|function|class|interface|type) ${name}\\b`,
    'm',
  ).exec(source)
  return declared ? read(commentAbove(source, declared.index)) : undefined
}

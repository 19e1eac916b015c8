import { styleText } from 'node:util'
import type { Level } from './finding.ts'
import type { Found } from './run-checks.ts'

/** Where every code has a section. */
export const PAGES = 'https://github.com/saoma/saoma/blob/main/docs/troubleshooting.md'

type Look = { sign: string; plain: string; colour: 'green' | 'yellow' | 'red' | 'gray' }
const looks: Readonly<Record<Level, Look>> = {
  ok: { sign: '✓', plain: '+', colour: 'green' },
  warning: { sign: '!', plain: '!', colour: 'yellow' },
  error: { sign: '✗', plain: 'x', colour: 'red' },
  skipped: { sign: '–', plain: '-', colour: 'gray' },
}

export interface Report {
  version: string
  origin?: string
  found: readonly Found[]
}

export type Counts = Record<Level, number>

export const countsOf = (found: readonly Found[]): Counts => {
  const counts: Counts = { ok: 0, warning: 0, error: 0, skipped: 0 }
  for (const { level } of found) counts[level]++
  return counts
}

const pageOf = ({ code }: Found): string => `${PAGES}#${code}`

/** One JSON object, for machines. Its members are described in docs/troubleshooting.md. */
export const reportJson = ({ version, origin, found }: Report): string =>
  JSON.stringify({
    version,
    origin: origin ?? null,
    findings: found.map((one) => ({
      check: one.check,
      code: one.code,
      level: one.level,
      says: one.says,
      ...(one.todo === undefined ? {} : { todo: one.todo }),
      ...(one.level === 'ok' ? {} : { page: pageOf(one) }),
    })),
    counts: countsOf(found),
  })

/**
 * The report for people: the findings of each check, and their number in the last line.
 *
 * @param out  a terminal gets signs and, unless NO_COLOR is set, colours; anything else plain text
 */
export const reportText = ({ version, origin, found }: Report, out: NodeJS.WriteStream): string => {
  const isTerminal = out.isTTY === true
  const paint = (format: Parameters<typeof styleText>[0], text: string): string =>
    styleText(format, text, { stream: out })
  const arrow = isTerminal ? '→' : '->'
  const lines = [`saoma doctor ${version}${origin === undefined ? '' : ` looks at ${origin}`}`]
  let check = ''
  /** Several checks may lack the same. What to do about it is written once. */
  const lacks = new Set<string>()
  for (const one of found) {
    if (one.check !== check) lines.push('', paint('bold', one.check))
    check = one.check
    const { sign, plain, colour } = looks[one.level]
    lines.push(`  ${paint(colour, isTerminal ? sign : plain)} ${one.says}`)
    if (one.todo === undefined || lacks.has(one.todo)) continue
    if (one.level === 'skipped') lacks.add(one.todo)
    lines.push(`    ${arrow} ${one.todo}`, paint('dim', `      ${pageOf(one)}`))
  }
  const { ok, warning, error, skipped } = countsOf(found)
  lines.push(
    '',
    `${ok} fine, ${warning} ${warning === 1 ? 'warning' : 'warnings'}, ${error} wrong, ${skipped} not looked at`,
  )
  return `${lines.join('\n')}\n`
}

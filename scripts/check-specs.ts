/*
 * Every rule of a SPEC.md must have a test whose title begins with its number, such as `[C21]`. Every number
 * in a title must have a rule.
 *
 *   node scripts/check-specs.ts [--root <folder>]
 */

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { filesBelow } from './files.ts'

const RULE = /^- \*\*([A-Z]\d+)\*\*/gm
/** Numbers at the beginning of a title: in `test('…')`, in `test.each(…)('…')`, and in a table. */
const TITLE = /['"`]((?:\[[A-Z]\d+\] ?)+)/g
const NUMBER = /[A-Z]\d+/g

const all = (text: string, what: RegExp): string[] => [...text.matchAll(what)].map(([, found = '']) => found)

/** One sentence for each number without its counterpart. */
const checkSpecs = (root: string): string[] => {
  const files = filesBelow(root)
  const read = (file: string): string => readFileSync(join(root, file), 'utf8')
  return files
    .filter((file) => file.endsWith('/SPEC.md'))
    .flatMap((spec) => {
      const tests = files.filter((file) => file.startsWith(`${dirname(spec)}/test/`) && file.endsWith('.ts'))
      const rules = all(read(spec), RULE)
      const numbers = tests.flatMap((file) =>
        all(read(file), TITLE).flatMap((title) => (title.match(NUMBER) ?? []).map((number) => ({ file, number }))),
      )
      const twice = rules.filter((rule, i) => rules.indexOf(rule) !== i)
      const untested = rules.filter((rule) => !numbers.some(({ number }) => number === rule))
      const unknown = numbers.filter(({ number }) => !rules.includes(number))
      return [
        ...twice.map((rule) => `${spec} has two rules ${rule}`),
        ...untested.map((rule) => `${spec} has the rule ${rule}, which no test's title names`),
        ...unknown.map(({ file, number }) => `${file} names ${number} in a title, which ${spec} does not have`),
      ]
    })
}

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const problems = checkSpecs(values.root)
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('Rules: every rule has a test, and every number in a title has a rule.')
process.exitCode = problems.length === 0 ? 0 : 1

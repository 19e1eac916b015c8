/*
 * Markdown pages name files by paths such as `channels/feed.ts` for packages/channels/src/feed.ts. Programs
 * contain whole paths too, in sentences for people. This check fails if a named file does not exist, for
 * example after a move. check-links.ts follows the links.
 *
 *   node scripts/check-paths.ts [--root <folder>]
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { filesBelow } from './files.ts'

const SHORT = /`((?:[\w@.-]+\/)+[\w.-]+\.(?:ts|lua|sh|mjs|md|ya?ml|template))`/g
const WHOLE = /(?<![\w./-])((?:apps|packages|scripts|docs)\/[\w./@-]+\.(?:ts|lua|sh|mjs|md|ya?ml))\b/g
const SPEAKS = /\.(?:md|[cm]?[jt]s|lua|sh|ya?ml|template)$|(?:^|\/)Dockerfile$/
/** Not checked: history, and the made-up repositories of tests. */
const SILENT = /CHANGELOG\.md$|(?:^|\/)test\//
/** Not in the repository: users' own folders, and made-up names in examples. */
const ELSEWHERE = /^(?:secrets|node_modules|\.saoma)\/|NOUN/

/** One sentence for each path that does not exist. */
const checkPaths = (root: string): string[] => {
  const files = filesBelow(root)
  // Pages leave out `packages/`, `apps/` and `src/`.
  const short = new Set(
    files.flatMap((file) =>
      [file, file.replace('/src/', '/')].flatMap((path) =>
        path.split('/').map((_, i, parts) => parts.slice(i).join('/')),
      ),
    ),
  )
  const isThere = (path: string): boolean => ELSEWHERE.test(path) || existsSync(join(root, path))
  const all = (line: string, what: RegExp): string[] => [...line.matchAll(what)].map(([, found = '']) => found)

  const wrongIn = (file: string, line: string): string[] => {
    const gone = all(line, WHOLE).filter((path) => !isThere(path))
    if (!file.endsWith('.md')) return gone.map((path) => `names ${path}, which is no file`)
    const unknown = all(line, SHORT).filter((path) => !short.has(path) && !ELSEWHERE.test(path))
    return [...new Set([...gone, ...unknown].map((path) => `names ${path}, which is no file`))]
  }
  return files
    .filter((file) => SPEAKS.test(file) && !SILENT.test(file))
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, i) => wrongIn(file, line).map((wrong) => `${file}:${i + 1} ${wrong}`)),
    )
}

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const problems = checkPaths(values.root)
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('Paths: every file that is named is there.')
process.exitCode = problems.length === 0 ? 0 : 1

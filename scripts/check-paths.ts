/*
 * Pages lead to files: by links, and by paths such as `channels/feed.ts` for packages/channels/src/feed.ts. A
 * file that is moved or goes away leaves none of them behind.
 *
 *   node scripts/check-paths.ts [--root <folder>]
 */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseArgs } from 'node:util'
import { filesBelow } from './files.ts'

const LINK = /\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g
const PATH = /`((?:[\w@.-]+\/)+[\w.-]+\.(?:ts|lua|sh|mjs|md|ya?ml|template))`/g
/** What users have, and made-up names in examples. */
const ELSEWHERE = /^(?:secrets|node_modules|\.saoma)\/|NOUN/

/** One sentence for each path that leads nowhere. */
const checkPaths = (root: string): string[] => {
  const files = filesBelow(root)
  // Pages leave out `packages/`, `apps/` and `src/`.
  const known = new Set(
    files.flatMap((file) =>
      [file, file.replace('/src/', '/')].flatMap((path) =>
        path.split('/').map((_, i, parts) => parts.slice(i).join('/')),
      ),
    ),
  )
  return files
    .filter((file) => file.endsWith('.md') && !file.endsWith('CHANGELOG.md'))
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, i) => [
          ...[...line.matchAll(LINK)]
            .map(([, link = '']) => normalize(join(dirname(file), link)))
            .filter((target) => !existsSync(join(root, target)))
            .map((target) => `${file}:${i + 1} links to ${target}, which is not there`),
          ...[...line.matchAll(PATH)]
            .map(([, path = '']) => path)
            .filter((path) => !known.has(path) && !ELSEWHERE.test(path))
            .map((path) => `${file}:${i + 1} names ${path}, which is no file`),
        ]),
    )
}

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const problems = checkPaths(values.root)
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('Paths: every page leads to files that are there.')
process.exitCode = problems.length === 0 ? 0 : 1

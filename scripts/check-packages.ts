/*
 * Builds the packages that are published, and has two linters look at the packed files: publint at the
 * manifest and what it leads to, are-the-types-wrong at how TypeScript finds the declarations.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { packPackages } from './packages.ts'
import { runNode, tool } from './run.ts'

const publint = tool('publint/src/cli.js')
const attw = tool('@arethetypeswrong/cli/dist/index.js')
/** A command, which nobody imports. */
const COMMAND = /^saoma-\d/
/** Only ES modules: no resolution without `exports`, and CommonJS has to import them dynamically. */
const PROFILE = 'esm-only'

const wrong: string[] = []
const folder = await mkdtemp(join(tmpdir(), 'saoma-packages-'))
try {
  for (const file of await packPackages(folder)) {
    if ((await runNode([publint, 'run', file, '--strict', '--level', 'suggestion'])) !== 0) wrong.push(basename(file))
    if (COMMAND.test(basename(file))) continue
    if ((await runNode([attw, file, '--profile', PROFILE, '--quiet'])) !== 0) wrong.push(basename(file))
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
if (wrong.length > 0) {
  console.log(`Packages: ${[...new Set(wrong)].join(', ')} cannot be published as packed. Read the lines above.`)
  process.exitCode = 1
} else {
  console.log('Packages: what is packed can be imported, with its types.')
}

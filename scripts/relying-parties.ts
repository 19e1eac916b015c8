import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applicationPackages, ensurePage, tryPackages } from '@saoma/testing'
import { runJest } from './jest.ts'
import { root } from './run.ts'

/*
 * The tests of applications of others, also of those that are too large for everybody who runs `npm test`.
 * docs/applications.md has their versions.
 */

const say = (sentence: string): void => console.log(sentence)
const folder = join(root, 'node_modules/.cache/relying-parties')
const LARGE = 'node-red@5.0.7'

const install = async (): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n')
  say(`Installing ${LARGE} in ${folder}.`)
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  const { status } = spawnSync('npm', ['install', ...flags, LARGE], { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${LARGE} cannot be installed`)
}

await install()
await tryPackages(applicationPackages, say)
await ensurePage(say)
process.exitCode = (await runJest(['--testPathPatterns', 'relying-parties'])).code

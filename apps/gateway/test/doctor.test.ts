import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@saoma/testing'
import { PAGES } from '../src/doctor/report.ts'
import { diagnose, newFolder, writeSettings } from './diagnosis.ts'

const root = new URL('../../../', import.meta.url)

describe('the command line', () => {
  test.each<[why: string, args: string[], said: RegExp]>([
    ['nothing to look at', [], /^There are no settings of a node: /],
    ['an unknown option', ['--jsn'], /^Unknown option '--jsn'/],
    [
      'an unknown check',
      ['--origin', 'http://a.example', '--only', 'rediss'],
      /^There is no check "rediss": settings, /,
    ],
    ['a time without a unit', ['--origin', 'http://a.example', '--timeout', '30'], /^--timeout must be a time such as/],
    ['an origin with a path', ['--origin', 'http://a.example/login'], /^--origin must be an origin such as/],
    ['an origin of another kind', ['--origin', 'ftp://a.example'], /^--origin must be an origin such as/],
    ['a missing file', ['--env-file', 'none.env'], /^The file of settings none\.env cannot be read \(ENOENT\)/],
  ])('%s is wrong usage', async (_, args, said) => {
    const { code, stdout, stderr } = await diagnose(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(said)
    expect(stderr).toContain('Usage: saoma doctor')
  })

  test('--help says how', async () => {
    expect(await diagnose(['--help'])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('--env-file FILE'),
    })
  })

  test('with an origin alone the checks that need settings say so', async () => {
    const origin = `http://127.0.0.1:${await freePort()}`
    const { code, findings, stdout, of } = await diagnose(['--json', '--origin', `${origin}/`])
    expect(code).toBe(1)
    expect(of('origin-connect')).toEqual([expect.stringMatching(/^error: /)])
    expect(JSON.parse(stdout)).toMatchObject({ origin, version: expect.any(String) })
    const unasked = findings.filter((one) => one.code === 'needs-settings')
    expect(unasked.map(({ check }) => check)).toEqual(['settings', 'secrets', 'redis', 'clocks', 'nodes', 'wechat'])
  })
})

describe('where settings come from', () => {
  const nameOf = async (args: string[], env: Record<string, string>, cwd?: string) =>
    (await diagnose(['--json', '--only', 'settings', ...args], env, cwd)).of('settings-https')

  test('the environment wins over files, and a later file over an earlier one', async () => {
    const [first, second] = ['first', 'second'].map((name) =>
      writeSettings({ SAOMA_ORIGIN: `https://${name}.example` }),
    )
    const both = ['--env-file', first ?? '', '--env-file', second ?? '']
    expect(await nameOf(both, {})).toEqual(['ok: https://second.example is https.'])
    expect(await nameOf(both, { SAOMA_ORIGIN: 'https://third.example' })).toEqual([
      'ok: https://third.example is https.',
    ])
    expect(await nameOf([...both, '--origin', 'https://last.example'], {})).toEqual([
      'ok: https://last.example is https.',
    ])
  })

  test('without --env-file those of a local cluster are read', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, '.saoma'))
    writeFileSync(join(folder, '.saoma/cluster.env'), 'SAOMA_ORIGIN=https://local.example\n')
    expect(await nameOf([], {}, folder)).toEqual(['ok: https://local.example is https.'])
    const named = ['--env-file', writeSettings({ SAOMA_ORIGIN: 'https://named.example' })]
    expect(await nameOf(named, {}, folder)).toEqual(['ok: https://named.example is https.'])
  })
})

test('every code has a section, and every section a code', () => {
  const sources = globSync('apps/gateway/src/doctor/*.ts', { cwd: fileURLToPath(root) }).map((file) =>
    readFileSync(new URL(file, root), 'utf8'),
  )
  const codes = sources.flatMap((text) =>
    [...text.matchAll(/(?:\bcode(?: =|:) |\b(?:ok|warning|error|skipped|failed|judge\w*)\(\s*)'([a-z0-9-]+)'/g)].map(
      ([, code = '']) => code,
    ),
  )
  const page = readFileSync(new URL('docs/troubleshooting.md', root), 'utf8')
  const [, section = ''] = /^## What the doctor finds\n(.*?)(?=^## |(?![\s\S]))/ms.exec(page) ?? []
  const headings = [...section.matchAll(/^### (.+)$/gm)].map(([, heading = '']) => heading)
  expect(new Set(codes).size).toBeGreaterThan(20)
  expect(headings).toEqual([...new Set(headings)])
  expect([...headings].sort()).toEqual([...new Set(codes)].sort())
  for (const text of section.split(/^### .+$/m).slice(1)) expect(text.trim().length).toBeGreaterThan(80)
  const { homepage } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  expect(PAGES).toBe(`${homepage}/blob/main/docs/troubleshooting.md`)
})

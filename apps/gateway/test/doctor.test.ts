import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, onCleanup, plainEnv } from '@saoma/testing'
import type { Finding } from '../src/doctor/finding.ts'
import { PAGES, reportText } from '../src/doctor/report.ts'
import { runChecks } from '../src/doctor/run-checks.ts'
import { reachOf } from '../src/doctor/settings.ts'
import { bitsOf } from '../src/doctor/strength.ts'
import { diagnose, newFolder, SETTINGS } from './diagnosis.ts'
import { upTo } from './fixtures.ts'

const root = new URL('../../../', import.meta.url)
const look = (check: string, env: Record<string, string | undefined>, ...args: string[]) =>
  diagnose(['--json', '--only', check, ...args], { ...SETTINGS, ...env })

/** Writes a file of settings. */
const written = (settings: Record<string, string>, mode = 0o600): string => {
  const file = join(newFolder(), 'settings.env')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  chmodSync(file, mode)
  return file
}

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
    const [first, second] = ['first', 'second'].map((name) => written({ SAOMA_ORIGIN: `https://${name}.example` }))
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
    const named = ['--env-file', written({ SAOMA_ORIGIN: 'https://named.example' })]
    expect(await nameOf(named, {}, folder)).toEqual(['ok: https://named.example is https.'])
  })
})

describe('settings', () => {
  test('settings without a fault are fine', async () => {
    const { code, findings } = await look('settings', {})
    expect(code).toBe(0)
    expect(findings.map((one) => `${one.code} ${one.level}`)).toEqual([
      'settings-values ok',
      'settings-names ok',
      'settings-demo ok',
      'settings-https ok',
    ])
  })

  test('each problem of a node is a finding', async () => {
    const { code, of } = await look('settings', { SAOMA_SECRET: 'short', REDIS_URL: 'http://127.0.0.1' })
    expect(code).toBe(1)
    expect(of('settings-values').sort()).toEqual([
      expect.stringMatching(/^error: REDIS_URL must be of the form redis.*\.$/),
      'error: SAOMA_SECRET must have at least 32 characters.',
    ])
  })

  test('settings that cannot be read leave what needs none', async () => {
    const { findings } = await diagnose(['--json'], { ...SETTINGS, SAOMA_SECRET: 'short' })
    expect(findings.filter(({ code }) => code === 'needs-settings').map(({ check }) => check)).toEqual([
      'redis',
      'clocks',
      'nodes',
      'wechat',
    ])
  })

  test('a misspelled name is a warning with the nearest one', async () => {
    const { code, findings } = await look('settings', { SAOMA_LIMIT_CODE: '1' })
    expect(code).toBe(0)
    expect(findings.find((one) => one.code === 'settings-names')).toEqual({
      check: 'settings',
      code: 'settings-names',
      level: 'warning',
      says: 'SAOMA_LIMIT_CODE is not a setting, so it has no effect.',
      todo: 'Correct the name: SAOMA_LIMIT_CODES may be meant.',
      page: `${PAGES}#settings-names`,
    })
  })

  test.each([
    ['https://login.example.com', 'error', 1],
    ['http://192.168.1.5:8080', 'warning', 0],
    ['http://127.0.0.1:8080', 'ok', 0],
  ])('demo mode at %s: %s', async (SAOMA_ORIGIN, level, expected) => {
    const { code, findings } = await look('settings', { SAOMA_ORIGIN, SAOMA_DEMO: 'true' })
    expect(findings.find((one) => one.code === 'settings-demo')?.level).toBe(level)
    expect(code).toBe(expected)
  })

  test('http is a warning where others can read it', async () => {
    expect((await look('settings', { SAOMA_ORIGIN: 'http://login.example.com' })).of('settings-https')).toEqual([
      expect.stringMatching(/^warning: http:\/\/login\.example\.com is http, /),
    ])
  })

  test('who reaches an address', () => {
    const reach = (...hosts: string[]) => [...new Set(hosts.map(reachOf))]
    expect(reach('localhost', '127.0.0.1', '[::1]', 'app.localhost')).toEqual(['machine'])
    expect(reach('10.0.0.1', '192.168.1.5', '[fd00::1]', 'nas', 'nas.local', '169.254.1.1')).toEqual(['network'])
    expect(reach('8.8.8.8', 'login.example.com', '[2606:4700::1]', '[::ffff:8.8.8.8]')).toEqual(['everybody'])
  })
})

describe('secrets', () => {
  const strong = () => randomBytes(32).toString('base64')

  test('a secret of openssl is fine', async () => {
    const { code, of } = await look('secrets', { SAOMA_SECRET: strong() })
    expect(code).toBe(0)
    expect(of('secret-strength')).toEqual(['ok: SAOMA_SECRET is worth at least 80 bits.'])
  })

  test('a published secret is an error, but in a demo on this machine', async () => {
    const SAOMA_SECRET = 'a secret that is good for a demo and for nothing else'
    expect((await look('secrets', { SAOMA_SECRET })).of('secret-published')).toEqual([
      'error: SAOMA_SECRET is the published secret of the demo, so everybody knows it.',
    ])
    const local = { SAOMA_SECRET, SAOMA_DEMO: 'true', SAOMA_ORIGIN: 'http://127.0.0.1:8080' }
    expect((await look('secrets', local)).of('secret-published')).toEqual([expect.stringMatching(/^ok: /)])
    expect((await look('secrets', { ...local, SAOMA_ORIGIN: 'https://a.example' })).code).toBe(1)
  })

  test('the weak ones are named with their bits, and never shown', async () => {
    const env = { SAOMA_SECRET: 'changeme-changeme-changeme-changeme', SAOMA_HOOK_SECRET: 'Q7mz2KvRx9wTg' }
    const { code, stdout, of } = await look('secrets', env)
    expect(code).toBe(1)
    expect(of('secret-strength')).toEqual([
      expect.stringMatching(/^error: SAOMA_SECRET can be guessed: .* some \d\d bits\.$/),
      expect.stringMatching(/^warning: SAOMA_HOOK_SECRET is weak: it is worth some 7\d bits\.$/),
    ])
    expect(stdout).not.toContain('changeme')
  })

  test('equal ones are named', async () => {
    const secret = strong()
    const env = { SAOMA_SECRET: secret, SAOMA_PREVIOUS_SECRET: secret, SAOMA_HOOK_SECRET: secret }
    expect((await look('secrets', env)).of('secret-equal')).toEqual([
      'warning: SAOMA_PREVIOUS_SECRET is SAOMA_SECRET, so the secret was not changed.',
      'error: SAOMA_HOOK_SECRET is SAOMA_SECRET, so whoever is given the one has the other too.',
    ])
  })

  test.each([
    [0o600, 'ok', 0],
    [0o640, 'warning', 0],
    [0o644, 'error', 1],
  ])('a file of settings with secrets and mode %o: %s', async (mode, level, expected) => {
    const file = written({ ...SETTINGS, REDIS_URL: 'redis://:pw@127.0.0.1' }, mode)
    const { code, of } = await diagnose(['--json', '--only', 'secrets', '--env-file', file])
    expect(of('secret-file')).toEqual([expect.stringContaining(`${level}: ${file}, with SAOMA_SECRET, REDIS_URL, `)])
    expect(code).toBe(expected)
  })

  test('a file without secrets may be read by all, and one that a setting names may not', async () => {
    const open = written({ SAOMA_ORIGIN: 'https://a.example', REDIS_URL: 'redis://127.0.0.1' }, 0o644)
    const secret = join(newFolder(), 'secret')
    writeFileSync(secret, strong(), { mode: 0o644 })
    const { of } = await diagnose(['--json', '--only', 'secrets', '--env-file', open], { SAOMA_SECRET_FILE: secret })
    expect(of('secret-file')).toEqual([
      expect.stringMatching(`^error: ${secret}, with SAOMA_SECRET, can be read by every`),
    ])
    expect(of('secret-strength')).toEqual([expect.stringMatching(/^ok: SAOMA_SECRET /)])
  })

  test.each([
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    '0123456789012345678901234567890123456789',
    'abcdefghijklmnopqrstuvwxyzabcdefghijklmn',
    'qwertyuiopasdfghjklzxcvbnm1234567890qwer',
    'PasswordPasswordPasswordPassword12345678',
    'abc123abc123abc123abc123abc123abc123abc1',
    'my-company-login-secret-2026',
  ])('%s can be guessed', (secret) => {
    expect(bitsOf(secret)).toBeLessThan(64)
  })

  test('a sentence is weak, however long it looks', () => {
    expect(bitsOf('a secret of a test that nobody keeps')).toBeLessThanOrEqual(80)
    expect(bitsOf('my secret is that nobody keeps it')).toBeLessThan(80)
  })

  test('what is drawn at random cannot be guessed', () => {
    const drawn = upTo(300).flatMap(() => [
      randomBytes(16).toString('hex'),
      randomBytes(24).toString('base64'),
      randomBytes(32).toString('base64url'),
      [...randomBytes(32)].map((byte) => byte % 10).join(''),
    ])
    expect(drawn.filter((secret) => bitsOf(secret) < 80)).toEqual([])
  })
})

describe('the report', () => {
  const found = (['ok', 'warning', 'error', 'skipped'] as const).map((level) => ({
    check: level === 'ok' || level === 'warning' ? 'first' : 'second',
    ...{ code: `the-${level}`, level, says: `It is ${level}.`, ...(level === 'ok' ? {} : { todo: `Do ${level}.` }) },
  }))
  /** As a process writes it to a terminal of 16 colours. */
  const onTerminal = async (env: Record<string, string>): Promise<string> => {
    const program = `
      import { Writable } from 'node:stream'
      import { WriteStream } from 'node:tty'
      const { reportText } = await import(${JSON.stringify(new URL('apps/gateway/src/doctor/report.ts', root))})
      const out = Object.assign(new Writable(), { isTTY: true, getColorDepth: WriteStream.prototype.getColorDepth })
      process.stdout.write(reportText({ version: '1.2.3', found: ${JSON.stringify(found)} }, out))`
    const args = ['--input-type=module', '--eval', program]
    return (await promisify(execFile)(process.execPath, args, { env: { ...plainEnv(), TERM: 'xterm', ...env } })).stdout
  }

  test('people get a sign, a sentence, what to do and a page', () => {
    const out = Object.assign(new Writable(), { isTTY: false }) as unknown as NodeJS.WriteStream
    expect(
      reportText({ version: '1.2.3', origin: 'https://a.example', found }, out),
    ).toBe(`saoma doctor 1.2.3 looks at https://a.example

first
  + It is ok.
  ! It is warning.
    -> Do warning.
      ${PAGES}#the-warning

second
  x It is error.
    -> Do error.
      ${PAGES}#the-error
  - It is skipped.
    -> Do skipped.
      ${PAGES}#the-skipped

1 fine, 1 warning, 1 wrong, 1 not looked at
`)
  })

  test('a terminal gets signs, and colours unless NO_COLOR is set', async () => {
    const [coloured, plain] = await Promise.all([onTerminal({}), onTerminal({ NO_COLOR: '1' })])
    expect(coloured).toContain('\u001B[31m✗\u001B[39m It is error.\n    → Do error.\n')
    expect(plain).not.toContain('\u001B')
    expect(plain).toContain('  ✗ It is error.\n    → Do error.\n')
  })

  test('a pipe gets no colours, and the same findings as JSON', async () => {
    const env = { ...SETTINGS, SAOMA_DEMO: 'true', SAOMA_LIMIT_CODE: '1' }
    const [text, json] = await Promise.all([
      diagnose(['--only', 'settings'], env),
      diagnose(['--json', '--only', 'settings'], env),
    ])
    expect([text.code, json.code]).toEqual([1, 1])
    expect(text.stdout).toMatch(/^[\x20-\x7e\n]+$/)
    const counts = { ok: 2, warning: 1, error: 1, skipped: 0 }
    expect(JSON.parse(json.stdout)).toEqual({
      ...{ version: expect.any(String), origin: SETTINGS.SAOMA_ORIGIN, findings: expect.any(Array), counts },
    })
    for (const { says, todo, page } of json.findings)
      for (const part of [says, todo, page]) if (part) expect(text.stdout).toContain(part)
    expect(text.stdout.trimEnd().split('\n').at(-1)).toBe('2 fine, 1 warning, 1 wrong, 0 not looked at')
  })

  test('a check that fails or is late hides no other', async () => {
    const over = new AbortController()
    const fine: Finding = { code: 'fine', level: 'ok', says: 'It is fine.' }
    const reports = runChecks(
      [
        { name: 'failing', run: async () => Promise.reject(new Error('a fault of ours')) },
        { name: 'late', run: () => new Promise(() => {}) },
        {
          name: 'last',
          run: async () => {
            setImmediate(() => over.abort())
            return [fine]
          },
        },
      ],
      { signal: over.signal },
    )
    expect((await reports).map(({ check, code, level }) => `${check} ${code} ${level}`)).toEqual([
      'failing check-failed error',
      'late check-late skipped',
      'last fine ok',
    ])
  })

  test('the command ends with its time although something does not answer', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onCleanup(() => silent.close())
    const { port } = silent.address() as AddressInfo
    const env = { REDIS_URL: `redis://127.0.0.1:${port}` }
    const { code, of } = await look('redis', env, '--timeout', '200ms')
    expect(code).toBe(0)
    expect(of('check-late')).toEqual(['skipped: The check was not ready when the time was up.'])
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

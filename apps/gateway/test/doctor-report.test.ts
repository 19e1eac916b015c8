import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Writable } from 'node:stream'
import { promisify } from 'node:util'
import { onCleanup, plainEnv } from '@saoma/testing'
import type { Finding } from '../src/doctor/finding.ts'
import { PAGES, reportText } from '../src/doctor/report.ts'
import { runChecks } from '../src/doctor/run-checks.ts'
import { diagnose, diagnoseBy, SETTINGS } from './diagnosis.ts'

const root = new URL('../../../', import.meta.url)
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
    'late check-late error',
    'last fine ok',
  ])
})

test('the command ends with its time although something does not answer', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onCleanup(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const env = { REDIS_URL: `redis://127.0.0.1:${port}` }
  const { code, of } = await diagnoseBy('redis', env, '--timeout', '200ms')
  expect(code).toBe(1)
  expect(of('check-late')).toEqual(['error: The check was not ready when the time was up.'])
})

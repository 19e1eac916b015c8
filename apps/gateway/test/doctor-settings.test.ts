import { PAGES } from '../src/doctor/report.ts'
import { reachOf } from '../src/doctor/settings.ts'
import { diagnose, diagnoseBy, SETTINGS } from './diagnosis.ts'

test('settings without a fault are fine', async () => {
  const { code, findings } = await diagnoseBy('settings', {})
  expect(code).toBe(0)
  expect(findings.map((one) => `${one.code} ${one.level}`)).toEqual([
    'settings-values ok',
    'settings-names ok',
    'settings-demo ok',
    'settings-https ok',
  ])
})

test('each problem of a node is a finding', async () => {
  const { code, of } = await diagnoseBy('settings', { SAOMA_SECRET: 'short', REDIS_URL: 'http://127.0.0.1' })
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
  const { code, findings } = await diagnoseBy('settings', { SAOMA_LIMIT_CODE: '1' })
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
  const { code, findings } = await diagnoseBy('settings', { SAOMA_ORIGIN, SAOMA_DEMO: 'true' })
  expect(findings.find((one) => one.code === 'settings-demo')?.level).toBe(level)
  expect(code).toBe(expected)
})

test('http is a warning where others can read it', async () => {
  expect((await diagnoseBy('settings', { SAOMA_ORIGIN: 'http://login.example.com' })).of('settings-https')).toEqual([
    expect.stringMatching(/^warning: http:\/\/login\.example\.com is http, /),
  ])
})

test('who reaches an address', () => {
  const reach = (...hosts: string[]) => [...new Set(hosts.map(reachOf))]
  expect(reach('localhost', '127.0.0.1', '[::1]', 'app.localhost')).toEqual(['machine'])
  expect(reach('10.0.0.1', '192.168.1.5', '[fd00::1]', 'nas', 'nas.local', '169.254.1.1')).toEqual(['network'])
  expect(reach('8.8.8.8', 'login.example.com', '[2606:4700::1]', '[::ffff:8.8.8.8]')).toEqual(['everybody'])
})

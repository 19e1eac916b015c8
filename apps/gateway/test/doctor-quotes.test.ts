import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unclearNames } from '../src/doctor/quotes.ts'
import { diagnose, newFolder, SETTINGS } from './diagnosis.ts'

test.each(['a#b', 'a # b', 'a$b', "a'b", 'a"b', 'a\\b', '`a`', '"a$b"', '"a\\b"', "'a' # b"])(
  'SAOMA_SECRET=%s is not read alike by all',
  (value) => {
    expect(unclearNames(`SAOMA_SECRET=${value}\n`)).toEqual(['SAOMA_SECRET'])
  },
)

test.each(['a', '', "'a#$\"\\b'", '"a # b"', 'a+/b==', 'demo a63 room:*,user:*'])(
  'SAOMA_SECRET=%s is clear',
  (value) => {
    expect(unclearNames(`# a comment's $\nSAOMA_SECRET=${value}\n`)).toEqual([])
  },
)

test('what no node reads is not judged', () => {
  expect(unclearNames('GRAFANA_PASSWORD=a#b\nexport REDIS_URL_FILE=/a$b\nAWS_SECRET_ACCESS_KEY=a#b')).toEqual([
    'REDIS_URL_FILE',
    'AWS_SECRET_ACCESS_KEY',
  ])
})

test('the doctor names the setting, and not its value', async () => {
  const file = join(newFolder(), '.env')
  writeFileSync(file, `SAOMA_ORIGIN=${SETTINGS.SAOMA_ORIGIN}\nSAOMA_SECRET=${SETTINGS.SAOMA_SECRET}#behind\n`)
  const args = ['--json', '--only', 'settings', '--env-file', file]
  const { stdout, of } = await diagnose(args, { SAOMA_AUTH_URL: SETTINGS.SAOMA_AUTH_URL })
  expect(of('settings-quotes')).toEqual([
    `warning: SAOMA_SECRET in ${file}: Node, compose and systemd do not read the value alike.`,
  ])
  expect(stdout).not.toContain('behind')
})

import { fileURLToPath } from 'node:url'
import { startProcess } from '@saoma/testing'
import { APACHE_PACKAGE, hasApache } from './apache.ts'

/* scripts/applications.ts: whoever follows docs/applications.md gets a person in everywhere, and out. */

/** A cluster, three applications and a browser, on a machine that is busy elsewhere. */
const TIMEOUT_MS = 240_000

const root = fileURLToPath(new URL('../../..', import.meta.url))
const withApache: jest.It = hasApache() ? test : test.skip
let lines: string[]

beforeAll(async () => {
  const script = await startProcess({
    name: 'applications',
    command: process.execPath,
    args: ['scripts/applications.ts', '--no-install'],
    cwd: root,
    env: process.env as Record<string, string>,
    forks: true,
  })
  const { code } = await script.exited
  lines = script.lines.map(({ text }) => text.trim()).filter((text) => text !== '')
  if (code !== 0) throw new Error(`The script ended with ${code}:\n${lines.join('\n')}`)
}, TIMEOUT_MS)

test('a person gets into an Express application and a command line by scanning, and out of both at once', () => {
  expect(lines).toEqual(
    expect.arrayContaining([
      'Express says "Hello, Ada."',
      'The command line says "Hello, Ada."',
      'Express asks for a scan.',
      'The tokens of the command line are refused by both nodes.',
    ]),
  )
  expect(lines.at(-1)).toBe('Everything is as docs/applications.md says.')
})

const title = 'the same scan leads into Apache’s protected page, and the same end out of it'
withApache(hasApache() ? title : `${title}: ${APACHE_PACKAGE} is not installed`, () => {
  expect(lines).toContainEqual(expect.stringMatching(/^Apache says "Hello, Ada\. You are [\w-]{22}\."$/))
  expect(lines).toEqual(
    expect.arrayContaining([
      'She opens the Express application. It asks for no scan.',
      `Her phone lists 2 logins: Lobby TV; ${APACHE_PACKAGE} with express-openid-connect.`,
      'Apache asks for a scan.',
    ]),
  )
})

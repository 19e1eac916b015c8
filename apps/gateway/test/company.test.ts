import { fileURLToPath } from 'node:url'
import { startProcess } from '@saoma/testing'

/** A cluster, a page and an import, on a machine that is busy elsewhere. */
const TIMEOUT_MS = 240_000

const root = fileURLToPath(new URL('../../..', import.meta.url))

test(
  'a company brings its people, reads what happened, ends one and deletes another',
  async () => {
    const script = await startProcess({
      name: 'company',
      command: process.execPath,
      args: ['scripts/company.ts', '--people', '2000'],
      cwd: root,
      env: process.env as Record<string, string>,
      forks: true,
    })
    const { code } = await script.exited
    const lines = script.lines.map(({ text }) => text.trim()).filter((text) => text !== '')
    if (code !== 0) throw new Error(`The script ended with ${code}:\n${lines.join('\n')}`)
    expect(lines).toEqual(
      expect.arrayContaining([
        '2,000 lines: 2,000 new, 0 added to an account, 0 known, 0 bad.',
        'The page says "Hello, Ann Example".',
        'His phone says "您已离职，请联系人事部。"',
        'Ann: login.scanned, login.confirmed, login.redeemed',
        'Ben: account.refused',
        'Her refresh token is dead on both nodes.',
        'Her page says "Please log in again with your new badge."',
      ]),
    )
    expect(lines.at(-1)).toBe('Everything is as docs/login.md and docs/operate.md say.')
  },
  TIMEOUT_MS,
)

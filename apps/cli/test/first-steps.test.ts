import { fileURLToPath } from 'node:url'
import { startProcess } from '@saoma/testing'

/** An installation from the registry and a dozen looks of the doctor, on a machine that is busy elsewhere. */
const TIMEOUT_MS = 400_000

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Of a finding that the script prints: `✗ redis-eviction: Redis at …`. */
const FOUND = /^✗ ([a-z-]+): (.+)$/

test(
  'docs/start.md runs from packed files, and the doctor sees what is broken then',
  async () => {
    const script = await startProcess({
      name: 'first steps',
      command: process.execPath,
      // The night runs it with the newest packages of others.
      args: ['scripts/first-steps.ts', '--pinned'],
      cwd: root,
      // npm needs to know how this machine reaches the registry.
      env: process.env as Record<string, string>,
      forks: true,
    })
    const { code } = await script.exited
    const lines = script.lines.map(({ text }) => text).filter((text) => text !== '')
    if (code !== 0) throw new Error(`The script ended with ${code}:\n${lines.join('\n')}`)
    expect(lines.at(-1)).toBe('Everything is as docs/start.md says.')
    expect(lines).toEqual(expect.arrayContaining(['The page says "Hello, Ada Lovelace".']))
    expect(lines).toEqual(expect.arrayContaining(['The message of the backend has arrived on the page.']))
    const found = lines.flatMap((line) => {
      const [, what, says = ''] = FOUND.exec(line) ?? []
      return what ? [[what, says]] : []
    })
    expect(found).toEqual([
      ['redis-eviction', expect.stringMatching(/throws data away .*allkeys-lru/)],
      ['event-stream', expect.stringMatching(/compresses event streams and holds the events back/)],
      ['origin-cluster', expect.stringMatching(/Another web server answers/)],
    ])
  },
  TIMEOUT_MS,
)

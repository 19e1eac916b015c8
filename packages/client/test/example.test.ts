import { execFile } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  confirm,
  freePort,
  launchBrowser,
  phoneToken,
  plainEnv,
  scan,
  startCluster,
  startProcess,
} from '@saoma/testing'
import { root } from './build.ts'
import { createConsumer, pack } from './consumer.ts'

const example = join(root, 'examples/vite-express')

/** It begins with an installation from the registry. */
const TIMEOUT_MS = 240_000

/** A key of one's own, by the command of the example's README. */
const makeKey = async (): Promise<{ key: string; line: string }> => {
  const command = join(root, 'apps/gateway/src/bin/key.ts')
  // Elsewhere, and without settings: a cluster that runs in the repository has a file that would get the key.
  const { stdout } = await promisify(execFile)(process.execPath, [command, 'create', 'example', 'room:*,user:*'], {
    cwd: tmpdir(),
    env: plainEnv(),
  })
  const [, key = '', line = ''] = /:\n {2}(\S+)\n.*:\n {2}(.+)\n/.exec(stdout) ?? []
  return { key, line }
}

test(
  'the example logs a person in, verifies the token, and what it publishes is heard',
  async () => {
    const [{ key, line }, port] = await Promise.all([makeKey(), freePort()])
    const [cluster, consumer] = await Promise.all([
      startCluster({
        nodes: 1,
        env: {
          SAOMA_API_KEYS: line,
          SAOMA_CHANNELS: '[{"match":"room:lobby","follow":"public"}]',
          SAOMA_ALLOWED_ORIGINS: `http://127.0.0.1:${port}`,
        },
      }),
      pack().then(async (packed) => createConsumer(packed, ['express@5', 'vite@8'])),
    ])
    for (const file of ['index.html', 'page.js', 'server.js'])
      await cp(join(example, file), join(consumer.folder, file))
    await consumer.write('.env', `VITE_SAOMA_ORIGIN=${cluster.origin}\n`)
    await consumer.run(process.execPath, 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn')
    await startProcess({
      name: 'the backend of the example',
      command: process.execPath,
      args: ['server.js'],
      cwd: consumer.folder,
      env: { ...plainEnv(), SAOMA_ORIGIN: cluster.origin, SAOMA_API_KEY: key, PORT: `${port}` },
      ready: ({ text }) => text === 'ready',
    })

    const browser = await launchBrowser()
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('pageerror', ({ message }) => problems.push(message))
    await page.goto(`http://127.0.0.1:${port}/`)
    await page.locator('saoma-login img').waitFor()
    const ticket = await page.locator('saoma-login').evaluate((one) => (one as never as Shown).state.ticket)
    const phone = await phoneToken(cluster.origin, '韩梅梅')
    await scan(cluster.origin, ticket, phone)
    await confirm(cluster.origin, ticket, phone)
    await page.locator('#who', { hasText: 'Hello, 韩梅梅.' }).waitFor()
    // The form is there when the room is followed.
    await page.locator('input').fill('good morning')
    await page.locator('button').click()
    await page
      .locator('pre')
      .filter({ hasText: 'in the lobby: good morning' })
      .filter({ hasText: 'for you: you said "good morning"' })
      .waitFor()
    expect(problems).toEqual([])

    const refused = await fetch(`http://127.0.0.1:${port}/say`, {
      method: 'POST',
      headers: { authorization: 'Bearer x.y.z' },
    })
    expect([refused.status, await refused.json()]).toEqual([401, { code: 'TOKEN_MALFORMED' }])
  },
  TIMEOUT_MS,
)

/** What the element shows. */
interface Shown {
  state: { ticket: string }
}

import { dirname } from 'node:path'
import {
  confirm,
  documented,
  freePort,
  launchBrowser,
  pageBlocks,
  phoneToken,
  plainEnv,
  scan,
  startCluster,
  startProcess,
  testApiKey,
} from '@saoma/testing'
import { createConsumer, pack } from './consumer.ts'

/*
 * The three files of "From packages" of docs/start.md, with the packed packages of this repository. A test of
 * the command runs the commands between them.
 */

/** It begins with an installation from the registry. */
const TIMEOUT_MS = 300_000

/** What the element shows. */
interface Shown {
  state: { ticket: string }
}

/** The files of the page, by the names that stand before them. */
const filesOf = (own: (code: string) => string): Map<string, string> => {
  const blocks = pageBlocks('docs/start.md').filter(({ heading }) => heading === 'From packages')
  const named = blocks.flatMap(({ before, code }): [string, string][] => {
    const name = /`([\w.]+\.(?:html|jsx|js))`:$/.exec(before)?.[1]
    return name === undefined ? [] : [[name, own(code)]]
  })
  return new Map(named)
}

test(
  'the page and the backend of docs/start.md log a person in, and the backend’s message arrives',
  async () => {
    const port = await freePort()
    const host = `http://127.0.0.1:${port}`
    const [{ origin }, packed] = await Promise.all([
      startCluster({ nodes: 1, env: { SAOMA_ALLOWED_ORIGINS: host } }),
      pack(),
    ])
    // Not the command, which is large and not imported here.
    const imported = packed.filter((file) => !/\/saoma-\d/.test(file))
    const consumer = await createConsumer(imported, ['express@5', 'vite@8', 'react@19', 'react-dom@19'])
    // The command that docs/login.md has for this.
    const [install] = documented('docs/login.md', 'Install the package')
    const command = install?.code.replaceAll('../saoma/.packages', dirname(imported[0] ?? '')) ?? ''
    await consumer.run('bash', '--norc', '-euc', command)
    const files = filesOf((code) =>
      code.replaceAll('http://127.0.0.1:8080', origin).replace('listen(3000', `listen(${port}`),
    )
    expect([...files.keys()]).toEqual(['index.html', 'page.jsx', 'server.js'])
    for (const [name, text] of files) await consumer.write(name, text)
    await consumer.write('key.json', JSON.stringify({ name: 'hello', key: testApiKey }))
    await consumer.run(process.execPath, 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn')
    await startProcess({
      name: 'the backend of docs/start.md',
      command: process.execPath,
      args: ['server.js'],
      cwd: consumer.folder,
      env: plainEnv(),
      ready: ({ text }) => text === 'ready',
    })

    const page = await (await launchBrowser()).newPage()
    const problems: string[] = []
    page.on('pageerror', ({ message }) => problems.push(message))
    await page.goto(host)
    await page.locator('saoma-login img').waitFor()
    const ticket = await page.locator('saoma-login').evaluate((one) => (one as never as Shown).state.ticket)
    const phone = await phoneToken(origin, '韩梅梅')
    await scan(origin, ticket, phone)
    await confirm(origin, ticket, phone)
    await page.getByText('Hello, 韩梅梅.').waitFor()
    await page.getByRole('button', { name: 'Ask the backend' }).click()
    await page.getByText('hello from the backend').waitFor()
    expect(problems).toEqual([])

    const refused = await fetch(`${host}/hello`, { method: 'POST', headers: { authorization: 'Bearer x.y.z' } })
    expect(refused.status).toBe(401)
  },
  TIMEOUT_MS,
)

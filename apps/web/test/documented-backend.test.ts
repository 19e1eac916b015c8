import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup, phoneToken, plainEnv, request, startCluster, testApiKey, webToken } from '@saoma/testing'
import { documentedCode } from './documented-code.ts'

/* The code of docs/login.md and docs/live.md for backends in Node, as it stands there. */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const [LOGIN, LIVE] = ['docs/login.md', 'docs/live.md'] as const

let origin: string

beforeAll(async () => {
  ;({ origin } = await startCluster({ nodes: 1 }))
})

/** Runs snippets in Node, as files of a project with the packages. Resolves with the JSON that is printed. */
const runInNode = async (files: Record<string, string>, env: Record<string, string>): Promise<unknown> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-snippets-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const { stdout } = await promisify(execFile)(process.execPath, ['main.mjs'], {
    cwd: folder,
    env: { ...plainEnv(), ...env },
  })
  return JSON.parse(stdout)
}
/** A snippet as the body of a function with these names, below its imports. */
const asFunction = (code: string, names: string): string => {
  const imports = code.match(/^import .*$/gm) ?? []
  const rest = code.replace(/^import .*$/gm, '')
  return `${imports.join('\n')}\nexport default async (${names}) => {${rest}}\n`
}

test('a backend in Node verifies tokens, with the package and with jose', async () => {
  const [own = '', jose = ''] = documentedCode(origin, LOGIN, 'In Node', 2)
  const person = await webToken(origin, 'Ian')
  const phone = await phoneToken(origin, 'Ian')
  const main = `
    import verify from './own.mjs'
    import { whoIs } from './jose.mjs'
    const told = []
    for (const token of [process.env.GOOD, process.env.PHONE])
      await verify({ headers: { authorization: 'Bearer ' + token } }, (...it) => told.push(it), (...it) => told.push(it))
    for (const token of [process.env.GOOD, process.env.PHONE])
      told.push(await whoIs(token).catch(({ code }) => code))
    console.log(JSON.stringify(told))`
  const told = await runInNode(
    { 'own.mjs': asFunction(own, 'request, show, refuse'), 'jose.mjs': jose, 'main.mjs': main },
    { GOOD: person.access_token, PHONE: phone },
  )
  const session = expect.stringMatching(/^[\w-]{22}$/)
  expect(told).toEqual([
    [person.user, session],
    [401, 'PHONE_TOKEN'],
    { user: person.user, session },
    'ERR_JWT_CLAIM_VALIDATION_FAILED',
  ])
})

test('a backend in Node publishes, and is told why it could not', async () => {
  const [code = ''] = documentedCode(origin, LIVE, 'In Node', 1)
  const { user } = await webToken(origin, 'Jo')
  const main = `
    import publish from './publish.mjs'
    const told = []
    await publish(process.env.ORIGIN, (...it) => told.push(it))
    process.env.SAOMA_API_KEY = 'saoma_nobody_' + 'x'.repeat(43)
    await publish(process.env.ORIGIN, (...it) => told.push(it))
    console.log(JSON.stringify(told))`
  const told = await runInNode(
    { 'publish.mjs': asFunction(code.replaceAll('7Hq…', user), 'origin, log'), 'main.mjs': main },
    { ORIGIN: origin, SAOMA_API_KEY: testApiKey },
  )
  expect(told).toEqual([['UNAUTHORIZED']])
  const kept = await request(`${origin}/v1/channels/user:${user}/messages`, { bearer: testApiKey })
  expect(kept.body).toMatchObject({ messages: [{ event: 'order', data: { id: 7, state: 'paid' } }] })
})

import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WaitingRequest, WaitingRequests } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  createAuthority,
  freePort,
  onCleanup,
  type Process,
  pageBlocks,
  phoneToken,
  plainEnv,
  reject,
  request,
  runShell,
  scan,
  startCluster,
  startOuterNginx,
  startProcess,
} from '@saoma/testing'
import { decodeJwt } from 'jose'
import { passOn, UPGRADE_MAP } from './doctor-fronts.ts'

/*
 * openid-client as it is published asks for a login on the person's phone, with the lines of
 * docs/applications.md: by poll and by ping, over TLS, nginx and two nodes.
 */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const command = fileURLToPath(new URL('../src/bin/client.ts', import.meta.url))
const blocks = pageBlocks('docs/applications.md').filter(({ heading }) => heading === "A login on the person's phone")
const block = (words: string): string => {
  const [found, ...more] = blocks.filter(({ code }) => code.includes(words))
  if (!found || more.length > 0) throw new Error(`the page has not one block with ${words}`)
  return found.code
}

let cluster: Cluster
let folder: string
let caFile: string
/** What the page writes, in the places of the test. */
let here: (code: string) => string
const secrets = new Map<string, string>()

beforeAll(async () => {
  const authority = createAuthority()
  caFile = authority.caFile
  const certificate = authority.issue(['127.0.0.1'])
  folder = await mkdtemp(join(tmpdir(), 'saoma-push-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const [port, bankPort, listens] = [await freePort(), await freePort(), await freePort()]
  const origin = `https://127.0.0.1:${port}`
  here = (code) =>
    code
      .replaceAll('https://login.example.com', origin)
      .replaceAll('https://bank.example.com', `https://127.0.0.1:${bankPort}`)
      .replaceAll('3000', `${listens}`)
      .replace('npm run saoma -- client', `'${process.execPath}' -- '${command}'`)
  for (const id of ['desk', 'bank']) {
    const said = await runShell(here(block(`client add ${id}`)), { cwd: folder })
    secrets.set(id, /shown once: (\S+)/.exec(said)?.[1] ?? '')
  }
  const env = {
    SAOMA_CLIENTS: join(folder, 'clients.json'),
    SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
    NODE_EXTRA_CA_CERTS: caFile,
  }
  cluster = await startCluster({ nodes: 2, origin, nginxEnv: { NGINX_TRUST: '127.0.0.1' }, env })
  await startOuterNginx({ port, http: UPGRADE_MAP, server: passOn(cluster.nginx.origin), certificate })
  const bank = `location / { proxy_pass http://127.0.0.1:${listens}; }`
  await startOuterNginx({ port: bankPort, server: bank, certificate })
}, 90_000)
afterAll(() => cluster.stop())

let turn = 0
const node = () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''

/** Runs the page's lines for somebody. Resolves when they display the number. */
const run = async (id: 'desk' | 'bank', phone: string): Promise<{ program: Process; number: string }> => {
  const call = id === 'desk' ? 'pollBackchannelAuthenticationGrant' : 'createServer'
  await writeFile(join(folder, `${id}.mjs`), here(block(call)))
  const program = await startProcess({
    name: id,
    command: process.execPath,
    args: [`${id}.mjs`],
    cwd: folder,
    env: {
      ...plainEnv(),
      CLIENT_SECRET: secrets.get(id),
      PERSON: String(decodeJwt(phone).sub),
      NODE_EXTRA_CA_CERTS: caFile,
    },
    ready: ({ text }) => text.startsWith('Confirm on your phone.'),
  })
  const number = /number is (\d\d)\./.exec(program.lines.map(({ text }) => text).join('\n'))?.[1] ?? ''
  return { program, number }
}
/** What the phone lists. */
const waitingOf = async (phone: string): Promise<WaitingRequest> => {
  const { body } = await request<WaitingRequests>(`${node()}/v1/me/requests`, { bearer: phone })
  const [waiting, ...more] = body.requests
  if (!waiting || more.length > 0) throw new Error(`expected one request, got ${JSON.stringify(body)}`)
  return waiting
}
const says = (program: Process, words: string) => program.nextLine(({ text }) => text === words)

test('the lines that poll log a person in', async () => {
  const ann = await phoneToken(node(), 'Ann')
  const { program, number } = await run('desk', ann)
  const { ticket, app, message } = await waitingOf(ann)
  expect({ app, message }).toEqual({ app: 'Front desk', message: 'Desk 4' })
  expect((await scan(node(), ticket, ann)).body).toMatchObject({ verification: 'number' })
  expect((await confirm(node(), ticket, ann, { json: { number } })).status).toBe(200)
  await says(program, 'Hello, Ann.')
  expect((await program.exited).code).toBe(0)
})

test('the lines that are told log a person in, and learn of a no', async () => {
  const ben = await phoneToken(node(), 'Ben')
  const { program, number } = await run('bank', ben)
  const { ticket } = await waitingOf(ben)
  await scan(node(), ticket, ben)
  expect((await confirm(node(), ticket, ben, { json: { number } })).status).toBe(200)
  await says(program, 'Hello, Ben.')
  await program.stop()

  const cyd = await phoneToken(node(), 'Cyd')
  const { program: refused } = await run('bank', cyd)
  await reject(node(), (await waitingOf(cyd)).ticket, cyd)
  await says(refused, 'The person said no.')
})

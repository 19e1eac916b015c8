import { fileURLToPath } from 'node:url'
import {
  type Answer,
  type Cluster,
  phoneToken,
  plainEnv,
  request,
  startCluster,
  startProcess,
  webToken,
} from '@saoma/testing'
import { openSigner, signerEnv } from './signer.ts'

/* The examples of examples/backends, as processes of their own. */

const names = ['express', 'koa', 'fastify']
const LISTENS = /^listening on (\d+)$/
/** A process that is the first to load a framework takes a while on a busy machine. */
const LISTEN_TIMEOUT_MS = 45_000

let cluster: Cluster
let person: Awaited<ReturnType<typeof webToken>>
let bad: readonly (readonly [token: string | undefined, code: string])[]

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: signerEnv })
  person = await webToken(cluster.origin, 'Ada')
  const signer = await openSigner(cluster)
  bad = [
    [undefined, 'TOKEN_MISSING'],
    ['garbage', 'TOKEN_MALFORMED'],
    [`${person.access_token.slice(0, -8)}AAAAAAAA`, 'SIGNATURE_WRONG'],
    [person.id_token, 'TYPE_WRONG'],
    [await phoneToken(cluster.origin, 'Ada'), 'PHONE_TOKEN'],
    [await signer.sign({ exp: Math.floor(Date.now() / 1_000) - 60 }), 'TOKEN_EXPIRED'],
  ]
})

/** Starts an example. The function that it gives asks for `/me`, which is for people only. */
const start = async (name: string) => {
  const { lines } = await startProcess({
    name,
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../../examples/backends/${name}.js`, import.meta.url))],
    env: { ...plainEnv(), SAOMA_ORIGIN: cluster.origin, PORT: '0' },
    ready: ({ text }) => LISTENS.test(text),
    readyTimeoutMs: LISTEN_TIMEOUT_MS,
  })
  const port = lines.flatMap(({ text }) => LISTENS.exec(text)?.[1] ?? [])[0]
  return (token?: string): Promise<Answer> =>
    request(`http://127.0.0.1:${port}/me`, token === undefined ? {} : { bearer: token })
}

test.each(names)('the backend with %s admits a person, and nobody with a bad token', async (name) => {
  const ask = await start(name)
  const session = expect.stringMatching(/^[A-Za-z0-9_-]{22}$/)
  expect(await ask(person.access_token)).toMatchObject({ status: 200, body: { user: person.user, session } })
  for (const [token, code] of bad) {
    const answer = await ask(token)
    expect(answer).toMatchObject({ status: 401, body: { code } })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  }
})

test('while the keys are away every backend answers 503, and names a time', async () => {
  const asks = await Promise.all(names.map(start))
  await cluster.nginx.kill()
  for (const ask of asks) {
    const answer = await ask(person.access_token)
    expect(answer).toMatchObject({ status: 503, body: { code: 'KEYS_UNREACHABLE' } })
    expect(answer.headers.get('retry-after')).toBe('2')
  }
  await cluster.nginx.restart()
})

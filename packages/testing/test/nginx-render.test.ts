import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'

const renderScript = fileURLToPath(new URL('../../../nginx/render.sh', import.meta.url))
const render = (env: Record<string, string>) =>
  promisify(execFile)('/bin/sh', [renderScript], { env: { PATH: process.env.PATH, ...env }, timeout: 5_000 })
const named = { SAOMA_SERVICE: 'saoma-gateway:3000', SAOMA_NODE_NAMES: 'saoma-gateway-*.saoma-nodes:3000' }

const resolvConf = async (text: string): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'saoma-resolv-'))
  onCleanup(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'resolv.conf'), text)
  return join(dir, 'resolv.conf')
}

test('a resolv.conf gives the servers and completes the names', async () => {
  const file = await resolvConf(
    'search saoma.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\nnameserver fd00::10\noptions ndots:5\n',
  )
  const { stdout } = await render({ ...named, NGINX_RESOLVER: file })
  expect(stdout).toContain('  resolver 10.96.0.10 [fd00::10] valid=1s;\n')
  expect(stdout).toContain('"saoma-gateway-$saoma_node.saoma-nodes.saoma.svc.cluster.local:3000";')
})

test('an invalid value is refused with a message', async () => {
  const bad: [Record<string, string>, RegExp][] = [
    [{}, /SAOMA_NODES is empty/],
    [{ ...named, SAOMA_NODES: 'a=127.0.0.1:1' }, /set one of SAOMA_NODES, SAOMA_CONTAINERS, or/],
    [{ ...named, SAOMA_CONTAINERS: 'gateway:3000' }, /set one of SAOMA_NODES, SAOMA_CONTAINERS, or/],
    [{ SAOMA_CONTAINERS: 'gateway' }, /SAOMA_CONTAINERS is 'gateway', which is not name:port/],
    [{ SAOMA_SERVICE: named.SAOMA_SERVICE }, /SAOMA_NODE_NAMES is ''/],
    [{ SAOMA_NODE_NAMES: named.SAOMA_NODE_NAMES }, /SAOMA_SERVICE is ''/],
    [{ ...named, SAOMA_NODE_NAMES: 'no-star:3000' }, /with one \* for the id/],
    [{ ...named, SAOMA_NODE_NAMES: '*.*:3000' }, /with one \* for the id/],
    [{ ...named, SAOMA_SERVICE: 'a:1\nb:2' }, /no place there/],
    [{ ...named, NGINX_RESOLVER: '/nowhere/resolv.conf' }, /cannot be read/],
    [{ ...named, NGINX_RESOLVER: await resolvConf('search x\n') }, /names no DNS server/],
    [{ ...named, NGINX_RESOLVER: await resolvConf('nameserver 10.0.0.1;\n') }, /names no DNS server/],
    [{ ...named, NGINX_RESOLVER: await resolvConf('nameserver 10.0.0.1\nsearch a;b\n') }, /search domain/],
  ]
  for (const [env, why] of bad) await expect(render(env)).rejects.toMatchObject({ stderr: expect.stringMatching(why) })
})

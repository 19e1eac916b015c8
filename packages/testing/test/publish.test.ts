import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup, plainEnv } from '@saoma/testing'

/* What `npm run release -- publish` does, with npm itself and a registry of our own. */

const root = fileURLToPath(new URL('../../..', import.meta.url))
const exec = promisify(execFile)
/** npm, on a machine that is busy elsewhere. */
const TIMEOUT_MS = 120_000

const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const PACKAGES = ['@saoma/protocol', '@saoma/client', '@saoma/react', '@saoma/vue', 'saoma'] as const

const [major = 0, minor = 0] = version.split('.').map(Number)
/** A version that came after it. */
const NEWER = `${major}.${minor + 1}.0`

/** A registry that knows as much of npm's API as `npm view` and `npm publish` ask for. */
const startRegistry = async () => {
  const there = new Map<string, object>()
  const refused = new Set<string>()
  const server = createServer(async (req, res) => {
    const name = decodeURIComponent(req.url?.slice(1) ?? '')
    const answer = (status: number, body: object) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (req.method !== 'PUT') return answer(there.has(name) ? 200 : 404, there.get(name) ?? { error: 'not found' })
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    if (refused.has(name)) return answer(403, { error: 'not today' })
    there.set(name, JSON.parse(String(Buffer.concat(chunks))))
    answer(201, { ok: true })
  }).listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await once(server, 'listening')
  return { there, refused, address: `127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

test(
  'packages are published after those that they need, once, and none that is older',
  async () => {
    const { there, refused, address } = await startRegistry()
    const folder = await mkdtemp(join(tmpdir(), 'saoma-publish-'))
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    const config = join(folder, 'npmrc')
    await writeFile(config, `registry=http://${address}\n//${address}:_authToken=a-token\nupdate-notifier=false\n`)
    const env = { npm_config_userconfig: config, npm_config_cache: join(folder, 'cache') }
    const args = [join(root, 'scripts/release.ts'), 'publish', '--no-provenance', '--packages', folder]
    const publish = (): Promise<{ code: number; stdout: string; stderr: string }> =>
      exec(process.execPath, args, { env: { ...plainEnv(), ...env }, timeout: TIMEOUT_MS }).then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
      )

    const files = PACKAGES.map((name) => `${name.replace(/^@saoma\//, 'saoma-')}-${version}.tgz`)
    const missing = await publish()
    for (const file of files) expect(missing.stderr).toContain(file)
    expect([missing.code, there.size]).toEqual([1, 0])

    for (const [i, name] of PACKAGES.entries()) {
      await mkdir(join(folder, name, 'package'), { recursive: true })
      // As the packed manifests have it.
      const publishConfig = { access: 'public', provenance: true }
      const manifest = { name, version, publishConfig }
      await writeFile(join(folder, name, 'package/package.json'), JSON.stringify(manifest))
      await exec('tar', ['-czf', join(folder, files[i] ?? ''), '-C', join(folder, name), 'package'])
    }

    refused.add('@saoma/react')
    const first = await publish()
    expect([first.code, first.stderr]).toEqual([1, expect.stringContaining('not today')])
    expect([...there.keys()]).toEqual(['@saoma/protocol', '@saoma/client'])

    refused.clear()
    expect(await publish()).toMatchObject({
      code: 0,
      stdout: [
        `@saoma/protocol ${version} is there already`,
        `@saoma/client ${version} is there already`,
        `@saoma/react ${version} is published`,
        `@saoma/vue ${version} is published`,
        `saoma ${version} is published\n`,
      ].join('\n'),
    })
    expect([...there.keys()]).toEqual([...PACKAGES])

    // The release of a fault in a former version would become the one that everybody installs.
    there.delete('@saoma/client')
    const newer = { name: 'saoma', version: NEWER }
    there.set('saoma', { name: 'saoma', 'dist-tags': { latest: NEWER }, versions: { [NEWER]: newer } })
    const older = await publish()
    expect([older.code, older.stderr]).toEqual([
      1,
      expect.stringContaining(`saoma ${version} is older than ${NEWER}, which the registry has.`),
    ])
    expect(there.has('@saoma/client')).toBe(false)
  },
  TIMEOUT_MS,
)

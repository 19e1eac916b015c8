import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEVICE_CODE_GRANT } from '@saoma/protocol'
import { confirm, onCleanup, pageBlocks, phoneToken, request, runShell, scan, startCluster } from '@saoma/testing'
import * as client from 'openid-client'
import { discover, testClients } from './relying-party.ts'

/* Two nodes with registered devices, and what a device and a phone do. */

export const TV_PAGE = 'https://tv.example.com'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const command = fileURLToPath(new URL('../src/bin/client.ts', import.meta.url))
const blocks = pageBlocks('docs/applications.md').filter(({ heading }) => heading === 'A TV or a command line')
/** Code of the documents. */
export const block = (words: string): string => {
  const [found, ...more] = blocks.filter(({ code }) => code.includes(words))
  if (!found || more.length > 0) throw new Error(`the page has not one block with ${words}`)
  return found.code
}

export const partOf = (jwt: string, at: 0 | 1): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[at] ?? '', 'base64url').toString())
export const claimsOf = (tokens: { claims(): client.IDToken | undefined }): Partial<client.IDToken> =>
  tokens.claims() ?? {}
export const basic = (id: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}`,
})

/** All of it ends with the test file. */
export const startDeviceStage = async () => {
  /** Somebody's folder, with the file of the applications. */
  const folder = await mkdtemp(join(tmpdir(), 'saoma-device-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, 'clients.json'), testClients)
  const add = block('client add').replace('npm run saoma -- client', `'${process.execPath}' -- '${command}'`)
  await runShell(add, { cwd: folder })
  const env = { SAOMA_CLIENTS: join(folder, 'clients.json'), SAOMA_ALLOWED_ORIGINS: TV_PAGE }
  const cluster = await startCluster({ nodes: 2, env })
  let turn = 0
  const node = () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''

  /** An application whose requests go to the nodes by turns. */
  const device = async (id: string, isPublic: boolean): Promise<client.Configuration> => {
    const config = await discover(cluster.origin, id, {}, isPublic)
    config[client.customFetch] = (url, options) => fetch(url.replace(cluster.origin, node()), options as RequestInit)
    return config
  }
  const kiosk = await device('kiosk', true)
  const printer = await device('printer', false)
  const alice = await phoneToken(cluster.origin, 'alice')

  const ask = async (config: client.Configuration, params: Record<string, string> = {}) => {
    const asked = await client.initiateDeviceAuthorization(config, { scope: 'openid profile', ...params })
    return { ...asked, ticket: String(asked.ticket) }
  }
  const redeem = (config: client.Configuration, { device_code }: { device_code: string }, options = {}) =>
    client.genericGrantRequest(config, DEVICE_CODE_GRANT, { device_code }, options)
  const approve = async ({ ticket }: { ticket: string }, phone: string, scopes?: readonly string[]) => {
    const scanned = await scan(node(), ticket, phone)
    const confirmed = await confirm(node(), ticket, phone, scopes ? { json: { scopes } } : {})
    expect([scanned.status, confirmed.status]).toEqual([200, 200])
    return scanned.body
  }
  /** A device that somebody has logged in. */
  const loggedIn = async (phone = alice, params: Record<string, string> = {}) => {
    const asked = await ask(kiosk, params)
    await approve(asked, phone)
    return redeem(kiosk, asked)
  }
  const me = (bearer: string) => request<Record<string, unknown>>(`${node()}/oidc/me`, { bearer })
  const sessionsOf = async (bearer: string) =>
    (await request<{ sessions: { sid: string; client: string; app: string }[] }>(`${node()}/v1/sessions`, { bearer }))
      .body.sessions
  /** A token request as a program writes it. */
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    request<Record<string, string>>(`${node()}${path}`, { form, headers })

  return { cluster, folder, node, device, kiosk, printer, alice, ask, redeem, approve, loggedIn, me, sessionsOf, post }
}

import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import {
  confirm,
  createAuthority,
  createTicket,
  freePort,
  type Line,
  onCleanup,
  phoneToken,
  poll,
  scan,
  startCluster,
  startProcess,
  until,
} from '@saoma/testing'
import { WebSocket } from 'ws'
import { isExecutable } from '../src/programs.ts'

/** Another address than the proxy's, which is trusted. */
const VISITOR = '127.0.0.2'

/** An example of docs/front.md. */
const example = async (language: string): Promise<string> => {
  const page = await readFile(new URL('../../../docs/front.md', import.meta.url), 'utf8')
  const found = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(page)?.[1]
  if (!found) throw new Error(`docs/front.md has no example of ${language}`)
  return found
}

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
const find = (name: string) => folders.map((folder) => join(folder, name)).find(isExecutable)

interface Place {
  port: number
  nginxPort: number
  dir: string
  certFile: string
  keyFile: string
}

/** How each is started with what the page says, at places of a test. */
const programs: Record<string, (text: string, place: Place) => Promise<{ args: string[] }>> = {
  nginx: async (text, { port, nginxPort, dir, certFile, keyFile }) => {
    const server = text
      .replace('443 ssl', `127.0.0.1:${port} ssl`)
      .replace('127.0.0.1:8080', `127.0.0.1:${nginxPort}`)
      .replace(/ssl_certificate \S+;/, `ssl_certificate ${certFile};`)
      .replace(/ssl_certificate_key \S+;/, `ssl_certificate_key ${keyFile};`)
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${dir}/${name};`,
    )
    await writeFile(
      join(dir, 'front.conf'),
      `daemon off; pid ${dir}/front.pid; events {} http { access_log off; ${temps.join(' ')}\n${server}\n}`,
    )
    return { args: ['-e', 'stderr', '-p', dir, '-c', join(dir, 'front.conf')] }
  },
  haproxy: async (text, { port, nginxPort, dir, certFile, keyFile }) => {
    await writeFile(join(dir, 'all.pem'), (await readFile(certFile, 'utf8')) + (await readFile(keyFile, 'utf8')))
    const config = text
      .replace('bind :443', `bind 127.0.0.1:${port}`)
      .replace('127.0.0.1:8080', `127.0.0.1:${nginxPort}`)
      .replace(/crt \S+/, `crt ${join(dir, 'all.pem')}`)
    await writeFile(join(dir, 'haproxy.cfg'), config)
    return { args: ['-db', '-f', join(dir, 'haproxy.cfg')] }
  },
  caddy: async (text, { port, nginxPort, dir, certFile, keyFile }) => {
    const site = text
      .replace('login.example.com {', `https://127.0.0.1:${port} {\n  bind 127.0.0.1\n  tls ${certFile} ${keyFile}`)
      .replace('127.0.0.1:8080', `127.0.0.1:${nginxPort}`)
    const file = join(dir, 'Caddyfile')
    await writeFile(file, `{\n  admin off\n  auto_https off\n  skip_install_trust\n}\n${site}`)
    return { args: ['run', '--adapter', 'caddyfile', '--config', file] }
  },
}
const languages: Record<string, string> = { nginx: 'nginx', haproxy: 'haproxy', caddy: 'caddyfile' }

test.each(Object.keys(programs))(
  '%s in front works as docs/front.md describes it',
  async (name) => {
    const command = find(name)
    const page = await example(languages[name] ?? name)
    // The page is to be right also where the program is not there to run it.
    expect(page).toContain('127.0.0.1:8080')
    if (!command) return console.warn(`Not tested: ${name} in front of nginx. It is not installed.`)

    const dir = await mkdtemp(join(tmpdir(), 'saoma-front-'))
    onCleanup(() => rm(dir, { recursive: true, force: true }))
    const authority = createAuthority()
    const { certFile, keyFile } = authority.issue(['localhost', '127.0.0.1'])
    const port = await freePort()
    const origin = `https://127.0.0.1:${port}`
    const lines: Line[] = []
    const cluster = await startCluster({
      nodes: 2,
      origin,
      nginxEnv: { NGINX_TRUST: '127.0.0.1' },
      env: { LOG_LEVEL: 'debug' },
      onLine: (_, line) => lines.push(line),
    })
    const { args } = (await programs[name]?.(page, {
      port,
      nginxPort: cluster.nginx.port,
      dir,
      certFile,
      keyFile,
    })) ?? {
      args: [],
    }
    await startProcess({ name, command, args, env: { PATH: process.env.PATH, HOME: dir } })

    const ca = await readFile(authority.caFile)
    const ask = async (path: string, headers: Record<string, string> = {}): Promise<number> => {
      const asked = httpsRequest({ host: '127.0.0.1', port, path, ca, headers, localAddress: VISITOR }).end()
      const [answer] = await once(asked, 'response')
      answer.resume()
      await once(answer, 'end')
      return answer.statusCode
    }
    await until(
      () => ask('/oidc/.well-known/openid-configuration').catch(() => 0),
      (status) => status === 200,
    )
    // Whoever lies about itself is seen as it is: a proxy adds what it saw, and nginx believes that.
    await ask('/v1/nothing', { 'X-Forwarded-For': '203.0.113.9', 'X-Request-Id': 'a-lie-of-a-client' })
    await until(async () => lines.some(({ json }) => json?.request === 'a-lie-of-a-client'), Boolean)
    expect(lines.find(({ json }) => json?.request === 'a-lie-of-a-client')?.json?.ip).toBe(VISITOR)
    expect(lines.some(({ json }) => json?.event === 'proxy')).toBe(false)

    const socket = new WebSocket(`wss://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, { ca, origin })
    onCleanup(() => socket.terminate())
    const [opened] = await once(socket, 'message')
    expect(String(opened)).toMatch(/^0\{"sid":"/)

    // A login through it, the phone past it.
    const inside = cluster.nginx.origin
    const phone = await phoneToken(inside, 'alice')
    const { ticket, device_code } = await createTicket(inside)
    await scan(inside, ticket, phone)
    await confirm(inside, ticket, phone)
    expect((await poll(inside, device_code, { after: 1 })).body.status).toBe('confirmed')
  },
  120_000,
)

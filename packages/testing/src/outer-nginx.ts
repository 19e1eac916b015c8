import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from './certificates.ts'
import { onCleanup } from './cleanup.ts'
import { freePort } from './ports.ts'
import { type Process, plainEnv, startProcess } from './process.ts'
import { requireProgram } from './programs.ts'

export interface OuterNginxOptions {
  /** Directives of its only server. */
  server: string
  /** Directives outside of the server, such as `map`. */
  http?: string
  /** It speaks TLS then. */
  certificate?: Certificate
  /** @default a free port */
  port?: number
}

/** An nginx with a configuration of the test, for example in front of the nginx of a cluster. */
export interface OuterNginx extends Process {
  readonly origin: string
}

/** Starts nginx at a port of 127.0.0.1. Resolves once it listens. */
export const startOuterNginx = async (options: OuterNginxOptions): Promise<OuterNginx> => {
  const { server, http = '', certificate } = options
  const port = options.port ?? (await freePort())
  const dir = await mkdtemp(join(tmpdir(), 'saoma-outer-nginx-'))
  onCleanup(() => rm(dir, { recursive: true, force: true }))
  // If root starts nginx, its workers run as another user and must reach their temporary files.
  await chmod(dir, 0o711)
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`)
  const tls = certificate ? `ssl_certificate ${certificate.certFile}; ssl_certificate_key ${certificate.keyFile};` : ''
  const file = join(dir, 'nginx.conf')
  await writeFile(
    file,
    `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr notice;
events { worker_connections 256; }
http {
  access_log off;
  ${temps.join('\n  ')}
  ${http}
  server {
    listen 127.0.0.1:${port}${certificate ? ' ssl' : ''};
    ${tls}
    ${server}
  }
}
`,
  )
  const process = await startProcess({
    name: 'outer nginx',
    command: requireProgram('nginx'),
    args: ['-e', 'stderr', '-p', dir, '-c', file],
    env: plainEnv(),
    ready: ({ text }) => text.includes('start worker process '),
  })
  return Object.assign(process, { origin: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}` })
}

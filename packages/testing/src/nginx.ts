import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup } from './cleanup.ts'
import type { Line } from './lines.ts'
import { freePort } from './ports.ts'
import { plainEnv, startProcess } from './process.ts'
import { requireProgram } from './programs.ts'
import { type Restartable, startRestartable } from './restartable.ts'

export interface NginxOptions {
  /** The nodes behind nginx, by id and public port. */
  nodes: readonly { id: string; port: number }[]
  /** Address to listen on. @default '127.0.0.1' */
  host?: string
  /** @default a free port */
  port?: number
  /**
   * File of its access log, one JSON object a line.
   * @default `access.log` in its temporary folder, removed by `stop`
   */
  accessLog?: string
  /** Additional settings of nginx/render.sh, such as NGINX_TRUST. */
  env?: Record<string, string>
  /** Called for every line of its error log. */
  onLine?: (line: Line) => void
}

/**
 * A real nginx with the project's own configuration. nginx/run.sh starts it as an ordinary user on an
 * unprivileged port. Signals and `pid` concern that script.
 */
export interface Nginx extends Restartable {
  readonly origin: string
  readonly port: number
  readonly accessLog: string
  /** The pid of nginx's master, whose children are the workers. */
  masterPid(): Promise<number>
}

const script = fileURLToPath(new URL('../../../nginx/run.sh', import.meta.url))

/** Resolves once it listens. The nodes need not run yet. */
export const startNginx = async (options: NginxOptions): Promise<Nginx> => {
  const { nodes, host = '127.0.0.1', env = {}, onLine } = options
  // nginx may be installed outside the PATH.
  const folder = dirname(requireProgram('nginx'))
  const port = options.port ?? (await freePort())
  const temp = await mkdtemp(join(tmpdir(), 'saoma-nginx-'))
  const removeTemp = () => {
    forget()
    return rm(temp, { recursive: true, force: true })
  }
  const forget = onCleanup(removeTemp)
  // If root starts nginx, its workers run as another user and must reach their temporary files.
  await chmod(temp, 0o711)

  const accessLog = options.accessLog ?? join(temp, 'access.log')
  const settings = {
    SAOMA_NODES: nodes.map((node) => `${node.id}=127.0.0.1:${node.port}`).join(' '),
    NGINX_LISTEN: `${host}:${port}`,
    NGINX_TEMP: temp,
    NGINX_ACCESS_LOG: accessLog,
    NGINX_WORKERS: '1',
    ...env,
  }
  const launch = () =>
    startProcess({
      name: 'nginx',
      command: '/bin/sh',
      args: [script],
      env: { ...plainEnv(), PATH: [process.env.PATH, folder].filter(Boolean).join(delimiter), ...settings },
      // The sockets listen before the first worker starts; connections wait in the kernel's queue.
      ready: ({ text }) => text.includes('start worker process '),
      ...(onLine ? { onLine } : {}),
    })
  const server = await startRestartable(launch, removeTemp)
  return Object.assign(server, {
    origin: `http://${host}:${port}`,
    port,
    accessLog,
    masterPid: async () => Number(await readFile(join(temp, 'nginx.pid'), 'utf8')),
  })
}

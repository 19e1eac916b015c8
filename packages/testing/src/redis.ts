import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificates } from '@saoma/redis'
import type { Authority } from './certificates.ts'
import { onCleanup } from './cleanup.ts'
import type { Line } from './lines.ts'
import { freePort } from './ports.ts'
import { startProcess } from './process.ts'
import { requireProgram } from './programs.ts'
import { type Restartable, startRestartable } from './restartable.ts'

/** How to reach a Redis server, a Sentinel or the members of a Redis Cluster. */
export interface RedisAccess {
  /**
   * Use only TLS, with certificates of this authority for `localhost`, `127.0.0.1` and `::1`.
   * @default plaintext
   */
  tls?: Authority
  /** Other names and addresses for the certificates. */
  certifiedFor?: readonly string[]
  /** Loopback address. @default '127.0.0.1' */
  host?: '127.0.0.1' | '::1'
  /** Required password; that of the user below if there is one. @default none */
  password?: string
  /**
   * A user with these rights, while the default user may do nothing: `{ name: 'saoma', rights: '~* &* +@all'
   * }`.
   */
  user?: { name: string; rights: string }
}

export interface RedisServerOptions extends RedisAccess {
  /** Additional settings, as on the command line: `['--maxmemory', '2mb']`. */
  args?: readonly string[]
  /** @default a free port */
  port?: number
  /** Folder for its data. @default a new temporary one, removed by `stop` */
  dir?: string
  /**
   * Keeps an append-only file, so that `restart` finds the data again. It contains every acknowledged write,
   * even if the process is killed. To survive a crash of the machine, set another `appendfsync` in `args`.
   * @default false
   */
  appendonly?: boolean
  /** Called for every line of its log. */
  onLine?: (line: Line) => void
}

/**
 * A user with all rights on servers with a restricted user: for replication, and for tests that act as the
 * operator.
 */
export const REPLICATION = { user: 'operator', password: 'of-the-servers' }

/** The certificates that a client of such a server trusts. */
export const trusting = ({ tls }: RedisAccess): { certificates?: Certificates } =>
  tls ? { certificates: { ca: readFileSync(tls.caFile, 'utf8') } } : {}

/** The part of a Redis URL before the hosts. */
export const urlBefore = (kind: '' | '+sentinel' | '+cluster', { tls, user, password }: RedisAccess): string => {
  const credentials = user || password ? `${user?.name ?? ''}:${encodeURIComponent(password ?? '')}@` : ''
  return `redis${tls ? 's' : ''}${kind}://${credentials}`
}

/** A host in URL form. */
export const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const operatorOf = (port: number, access: RedisAccess): RedisServer['operator'] => {
  const { user, certifiedFor: [host = access.host ?? '127.0.0.1'] = [] } = access
  const operator = user
    ? { ...access, user: { name: REPLICATION.user, rights: '' }, password: REPLICATION.password }
    : access
  return { url: `${urlBefore('', operator)}${inUrl(host)}:${port}`, ...trusting(access) }
}

/** Access settings of a server, one per line of its configuration. */
export const accessSettings = (
  port: number,
  { tls, certifiedFor = ['localhost', '127.0.0.1', '::1'], host = '127.0.0.1', password, user }: RedisAccess,
): string[][] => {
  const settings = [['bind', host]]
  if (tls) {
    const { certFile, keyFile } = tls.issue(certifiedFor)
    settings.push(['port', '0'], ['tls-port', `${port}`], ['tls-replication', 'yes'], ['tls-auth-clients', 'no'])
    settings.push(['tls-cert-file', certFile], ['tls-key-file', keyFile], ['tls-ca-cert-file', tls.caFile])
  } else {
    settings.push(['port', `${port}`])
  }
  if (user) {
    settings.push(
      ['user', user.name, 'on', `>${password ?? ''}`, ...user.rights.split(' ')],
      ['user', 'default', 'off'],
    )
    // The user of replicas that connect to this server, and of this server when it is a replica.
    settings.push(['user', REPLICATION.user, 'on', `>${REPLICATION.password}`, '~*', '&*', '+@all'])
    settings.push(['masteruser', REPLICATION.user], ['masterauth', REPLICATION.password])
  } else if (password) {
    settings.push(['requirepass', password], ['masterauth', password])
  }
  return settings
}

/** A real redis-server on the loopback interface. SIGSTOP suspends it, SIGCONT resumes it. */
export interface RedisServer extends Restartable {
  readonly url: string
  readonly port: number
  /** The operator's access, with all rights. */
  readonly operator: { url: string; certificates?: Certificates }
}

/** Most ports that are tried: another process may take a free port before Redis does. */
const PORT_ATTEMPTS = 5
const READY = 'Ready to accept connections'
const PORT_TAKEN = /Address already in use/

export const startRedis = async (options: RedisServerOptions = {}): Promise<RedisServer> => {
  const { args = [], dir: givenDir, appendonly = false, host = '127.0.0.1', onLine } = options
  const command = requireProgram('redis')
  const dir = givenDir ?? (await mkdtemp(join(tmpdir(), 'saoma-redis-')))
  const removeDir = async () => {
    forget()
    if (!givenDir) await rm(dir, { recursive: true, force: true })
  }
  const forget = onCleanup(removeDir)

  const launch = (port: number) => {
    const reached = accessSettings(port, options).flatMap(([name, ...values]) => [`--${name}`, ...values])
    const settings = [...reached, '--dir', dir, '--logfile', '', '--daemonize', 'no']
    // With `no`, each write is handed to the kernel before it is acknowledged. With `everysec`, Redis delays
    // that for up to two seconds while a slow disk is still busy, and a kill would lose acknowledged writes.
    const persistence = ['--save', '', '--appendonly', appendonly ? 'yes' : 'no', '--appendfsync', 'no']
    return startProcess({
      name: 'redis',
      command,
      args: [...settings, ...persistence, ...args],
      ready: ({ text }) => text.includes(READY),
      // It forks to synchronise a replica and to rewrite its files.
      forks: true,
      ...(onLine ? { onLine } : {}),
    })
  }

  const launchSomewhere = async (attempt = 1): Promise<RedisServer> => {
    const port = options.port ?? (await freePort())
    try {
      const server = await startRestartable(() => launch(port), removeDir)
      return Object.assign(server, {
        url: `${urlBefore('', options)}${inUrl(host)}:${port}`,
        port,
        operator: operatorOf(port, options),
      })
    } catch (error) {
      const taken = error instanceof Error && PORT_TAKEN.test(error.message)
      if (!taken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error
      return launchSomewhere(attempt + 1)
    }
  }
  return launchSomewhere()
}

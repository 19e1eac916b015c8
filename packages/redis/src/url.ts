import { isIPv6 } from 'node:net'

/** User and password of a server. A user may have no password. */
export interface Credentials {
  username?: string
  password?: string
}

/** The parts of a Redis URL. */
export interface Address extends Credentials {
  kind: 'standalone' | 'sentinel' | 'cluster'
  tls: boolean
  hosts: { host: string; port: number }[]
  /** With Sentinels: the name of the master. */
  master?: string
  db: number
  /** With Sentinels: their own credentials. */
  sentinel?: Credentials
}

const FORM =
  'redis[s][+sentinel|+cluster]://[user:password@]host:port[,host:port][/database or /master-name[/database]]'
/** Query parameters of a Sentinel URL. */
const SENTINEL_PARAMETERS = ['sentinel_username', 'sentinel_password']
const DEFAULT_PORTS = { standalone: 6379, sentinel: 26379, cluster: 6379 }
const DEFAULT_MASTER = 'mymaster'

const decode = (credential: string): string => {
  try {
    return decodeURIComponent(credential)
  } catch (cause) {
    throw new TypeError('holds a user or a password with a bare %: write it as %25', { cause })
  }
}

const hostOf = (entry: string, defaultPort: number): { host: string; port: number } => {
  const [, address, name, port = `${defaultPort}`] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(entry) ?? []
  const host = address ?? name
  if (!host || Number(port) > 65_535 || Number(port) === 0 || (address !== undefined && !isIPv6(address)))
    throw new TypeError(`names a host that cannot be read: ${entry}`)
  return { host, port: Number(port) }
}

const sentinelCredentials = (kind: Address['kind'], query: string, own: Credentials): Credentials => {
  const given = new Map<string, string>()
  for (const parameter of query.split('&').filter(Boolean)) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(parameter) ?? []
    // Do not show the value: it may be a password.
    if (kind !== 'sentinel' || !SENTINEL_PARAMETERS.includes(name) || given.has(name))
      throw new TypeError(
        `has a parameter that is not understood: ${name} (redis+sentinel:// may have ${SENTINEL_PARAMETERS.join(' and ')}, each once)`,
      )
    given.set(name, decode(value))
  }
  const username = given.get('sentinel_username')
  // A Sentinel with a password mostly uses that of its servers, so the password is the default. A Sentinel
  // without one accepts any password of its default user, but rejects an unknown user. So the servers' user
  // is not sent.
  const password = given.get('sentinel_password') ?? (given.size === 0 ? own.password : undefined)
  return { ...(username ? { username } : {}), ...(password ? { password } : {}) }
}

/**
 * Parses the forms of `ConnectionOptions.url`. It refuses what it does not understand, instead of ignoring
 * it. Throws TypeError with the end of a sentence for the operator, which never contains a password.
 */
export const parseRedisUrl = (url: string): Address => {
  const match =
    /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/?#]*)(?::([^@/?#]*))?@)?([^/@?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(
      url,
    )
  // Unescaped, one of these characters would end the credentials early, and the rest of the password would
  // appear in messages as a host.
  if (/^[^/]*:\/\/[^@]*[/?#].*@/s.test(url))
    throw new TypeError('holds a user or a password with a bare /, ?, # or @: write it as %2F, %3F, %23 or %40')
  const [, scheme, way, user = '', secret, hostList = '', path = '', query = ''] = match ?? []
  if (!scheme) throw new TypeError(`must be of the form ${FORM}`)
  const kind = (way as Address['kind'] | undefined) ?? 'standalone'
  const hosts = hostList.split(',').map((entry) => hostOf(entry, DEFAULT_PORTS[kind]))
  if (kind === 'standalone' && hosts.length > 1)
    throw new TypeError('lists several hosts: write redis+sentinel:// or redis+cluster://')

  const parts = path.split('/').filter(Boolean)
  const master = kind === 'sentinel' ? decode(parts.shift() ?? DEFAULT_MASTER) : undefined
  const [db = '0', ...rest] = parts
  if (kind === 'cluster' && parts.length > 0)
    throw new TypeError('names a database, but a Redis Cluster has one only: end it after the hosts')
  if (!/^\d{1,9}$/.test(db)) throw new TypeError(`names a database that is not a number: ${db}`)
  if (rest.length > 0) throw new TypeError(`has a path that goes on after the database: /${rest.join('/')}`)

  const own: Credentials = {
    ...(user ? { username: decode(user) } : {}),
    // A user without a password gets an empty password: AUTH needs one.
    ...(secret ? { password: decode(secret) } : user ? { password: '' } : {}),
  }
  const sentinel = sentinelCredentials(kind, query, own)
  return {
    kind,
    tls: scheme === 'rediss',
    hosts,
    ...(master === undefined ? {} : { master, sentinel }),
    db: Number(db),
    ...own,
  }
}

import type { Redis } from 'ioredis'
import { isPassing } from './replies.ts'
import { type Send, wrapSend } from './send.ts'

/**
 * A server refuses the connection, or lacks what the URL names. An operator can fix it; the message says how.
 */
export class RedisRefused extends Error {
  override readonly name = 'RedisRefused'
  readonly code = 'REDIS_REFUSED'
}

/** Node's codes for a certificate that it rejects, and OpenSSL's for a server that rejects ours. */
const CERTIFICATE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)/

const codeOf = (error: Error): string => String((error as NodeJS.ErrnoException).code ?? '')

/** Redis's errors, and what an operator does about them. */
const HELP: readonly [pattern: RegExp, sentence: string][] = [
  [/^WRONGPASS|^ERR invalid password/, 'does not take the user or the password of the URL'],
  [/^NOAUTH/, 'asks for a password and the URL has none: write redis://user:password@host'],
  [
    /^DENIED/,
    'is in protected mode and refuses connections from other machines: set a password in Redis and in the URL',
  ],
  [/^NOPERM.*'hello'/, 'does not let this user in: add +hello to its rights'],
  [
    /^NOPERM.*'select'/,
    'does not let this user choose a database: add +select to its rights, or end the URL after the host',
  ],
  [/^NOPERM.*'client/, 'does not let this user name its connections: add +client|setname to its rights'],
  [/^NOPERM.*'cluster/, 'does not let this user see the shards: add +cluster|slots and +cluster|info to its rights'],
  [/^ERR DB index is out of range/, 'has no database of the number that the URL names'],
  [/^ERR invalid DB index/, 'has no database of the number that the URL names'],
  [/cluster support disabled/, 'is no member of a Redis Cluster: write redis:// instead of redis+cluster://'],
]

/** From TLS 1.3 and earlier versions. */
const WANTED_OURS = /CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/
const HOW_TO_SHOW_OURS = '. It asks for our certificate: set REDIS_CERT_FILE and REDIS_KEY_FILE.'

/**
 * Why a server refuses us until an operator changes something, as a sentence. Undefined for temporary errors,
 * such as a server that is unreachable or loading its data.
 */
export const refusalOf = (error: Error, where: string, what = 'Redis'): RedisRefused | undefined => {
  if (CERTIFICATE.test(codeOf(error))) {
    // OpenSSL's messages span several lines.
    const reason = error.message.trim().replaceAll(/\s+/g, ' ')
    const help = WANTED_OURS.test(codeOf(error)) ? HOW_TO_SHOW_OURS : ''
    return new RedisRefused(`${what} at ${where}: TLS fails, ${reason} (${codeOf(error)})${help}`, { cause: error })
  }
  if (error.name !== 'ReplyError' || isPassing(error.message)) return undefined
  const help = HELP.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'refuses the connection'
  return new RedisRefused(`${what} at ${where} ${help} (${error.message})`, { cause: error })
}

/** The same for a Sentinel. */
export const refusalOfSentinel = (error: Error, where: string, master: string): RedisRefused | undefined => {
  const help = /^(NOAUTH|WRONGPASS|ERR invalid password)/.test(error.message)
    ? 'does not let us in: end the URL with ?sentinel_password=…, or also with &sentinel_username=…'
    : /^ERR No such master/.test(error.message)
      ? `knows no master of the name ${master}, which stands in the URL behind the hosts`
      : undefined
  if (help) return new RedisRefused(`The Sentinel at ${where} ${help} (${error.message})`, { cause: error })
  return refusalOf(error, where, 'The Sentinel')
}

/**
 * Closes a connection if Redis replies with an error during the handshake. ioredis continues when SELECT or
 * CLIENT SETNAME fails; the node would then work in database 0, which belongs to another application. The
 * connection is retried after a pause, as with a wrong password.
 *
 * @param tell  called for each error of the connection
 */
export const guardHandshake = (server: Redis, tell?: (error: Error) => void): void => {
  /** True until the connection is closed. Later errors follow from the first one and are not reported. */
  let isEnding = false
  server.on('close', () => {
    isEnding = false
  })
  if (tell) server.on('error', (error: Error) => isEnding || tell(error))
  const guard =
    (send: Send): Send =>
    (command, ...others) => {
      const answer = send(command, ...others)
      if (command.name === 'select' || (command.name === 'client' && /^setname$/i.test(String(command.args[0]))))
        command.promise.catch((error: Error) => {
          // If the password was refused, so is every other command, and ioredis already reports the password.
          if (error.name !== 'ReplyError' || error.message.startsWith('NOAUTH')) return
          server.emit('error', error)
          isEnding = true
          server.disconnect(true)
        })
      return answer
    }
  wrapSend(server, guard)
}

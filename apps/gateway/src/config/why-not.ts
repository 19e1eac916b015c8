import { ConfigError } from './config.ts'

/**
 * Explains to a person why a node does not start: a sentence for wrong settings and addresses, the stack for
 * any other error.
 */
export const whyNot = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const isPlain = error instanceof ConfigError || 'code' in error || error.name === 'RedisUnavailable'
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return isPlain ? `${error.message}${cause}` : (error.stack ?? error.message)
}

import { ConfigError } from './config.ts'

/**
 * Why a node does not start, for a person: settings and addresses get their sentence, anything else its
 * stack.
 */
export const whyNot = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const isPlain = error instanceof ConfigError || 'code' in error || error.name === 'RedisUnavailable'
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return isPlain ? `${error.message}${cause}` : (error.stack ?? error.message)
}

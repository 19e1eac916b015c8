import { RedisUnavailable } from '@saoma/redis'
import { type Adapter, errors } from './oidc-provider.ts'

/** Redis being away must read as "try again", which the provider would turn into a server error. */
export const outage = (cause: unknown): unknown => {
  if (!(cause instanceof RedisUnavailable)) return cause
  return Object.assign(new errors.TemporarilyUnavailable('the service is recovering; try again', { cause }), {
    status: 503,
    statusCode: 503,
  })
}

/** An adapter whose failures read so. */
export const withOutage = (adapter: Adapter): Adapter =>
  Object.fromEntries(
    Object.entries(adapter).map(([name, method]) => [
      name,
      async (...args: unknown[]) => {
        try {
          return await (method as (...args: unknown[]) => Promise<unknown>)(...args)
        } catch (error) {
          throw outage(error)
        }
      },
    ]),
  ) as unknown as Adapter

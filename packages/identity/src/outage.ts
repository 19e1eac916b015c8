import { RedisUnavailable } from '@saoma/redis'
import { type Adapter, errors } from './oidc-provider.ts'

/**
 * Turns an unavailable Redis into an error that says "try again". The provider would report a server error.
 */
export const outage = (cause: unknown): unknown => {
  if (!(cause instanceof RedisUnavailable)) return cause
  return Object.assign(new errors.TemporarilyUnavailable('the service is recovering; try again', { cause }), {
    status: 503,
    statusCode: 503,
    // An application could only show it. Our own page tries again by itself.
    allow_redirect: false,
  })
}

/** Has the failure of some work reported by `outage`. */
export const orOutage = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw outage(error)
  })

/** Wraps an adapter so that its failures are reported by `outage`. */
export const withOutage = (adapter: Adapter): Adapter =>
  Object.fromEntries(
    Object.entries(adapter).map(([name, method]) => [
      name,
      async (...args: unknown[]) => orOutage((method as (...args: unknown[]) => Promise<unknown>)(...args)),
    ]),
  ) as unknown as Adapter

/** The provider's storage reports an outage in OAuth's form. Our routes have a form of their own. */
export const unwrapped = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    const { cause } = error as { cause?: unknown }
    throw cause instanceof RedisUnavailable ? cause : error
  }
}

/**
 * Tests that take most of a minute each, and look at what seldom breaks: packages as they are installed, the
 * built site, every interruption of a deletion, whole clusters under faults. `npm test` leaves them out, so
 * it stays short enough to wait for. `npm run test:long` runs them, as the nightly workflow and each release
 * do.
 */
export const longTests: readonly string[] = [
  'apps/docs/test/site',
  'apps/gateway/test/delete-person-interrupted',
  'apps/gateway/test/doctor-redis',
  'apps/gateway/test/person-races',
  'apps/loadtest/test/chaos',
  'apps/web/test/demos',
  'packages/accounts/test/failover',
  'packages/channels/test/cluster',
  'packages/client/test/failover',
  'packages/client/test/installed',
  'packages/client/test/installed-wx',
  'packages/client/test/rolling-update',
  'packages/redis/test/failover.cluster',
  'packages/redis/test/slots.cluster',
].map((name) => `${name}.test.ts`)

/** Set where they run too. */
export const WITH_LONG_TESTS = 'SAOMA_LONG_TESTS'

/**
 * Tests that take half a minute or more each, and look at what seldom breaks: packages as they are
 * installed, the built site, whole examples, operators' commands and the doctor, every interruption of a
 * deletion, whole clusters under faults. `npm test` leaves them out, so it stays short enough to wait for.
 * `npm run test:long` runs them, as the nightly workflow and each release do.
 */
export const longTests: readonly string[] = [
  'apps/docs/test/site',
  'apps/gateway/test/accounts-command',
  'apps/gateway/test/admin-nodes',
  'apps/gateway/test/delete-person-interrupted',
  'apps/gateway/test/doctor-nodes',
  'apps/gateway/test/doctor-origin',
  'apps/gateway/test/doctor-proxies',
  'apps/gateway/test/doctor-redis',
  'apps/gateway/test/person-races',
  'apps/gateway/test/pool-life',
  'apps/gateway/test/pool-outage',
  'apps/gateway/test/restore',
  'apps/gateway/test/signed-tokens-cluster',
  'apps/gateway/test/stored-key-command',
  'apps/loadtest/test/chaos',
  'apps/loadtest/test/load',
  'apps/local/test/local',
  'apps/web/test/demos',
  'apps/web/test/many-tabs',
  'packages/accounts/test/failover',
  'packages/channels/test/cluster',
  'packages/client/test/example',
  'packages/client/test/examples',
  'packages/client/test/failover',
  'packages/client/test/installed',
  'packages/client/test/installed-wx',
  'packages/client/test/rolling-update',
  'packages/client/test/verifier-keys',
  'packages/redis/test/failover.cluster',
  'packages/redis/test/slots.cluster',
  'packages/testing/test/nginx-nodes',
  'packages/testing/test/publish',
  'packages/vue/test/vue',
].map((name) => `${name}.test.ts`)

/** Set where they run too. */
export const WITH_LONG_TESTS = 'SAOMA_LONG_TESTS'

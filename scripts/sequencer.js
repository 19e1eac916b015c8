import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import TestSequencer from '@jest/test-sequencer'

/**
 * What takes longest, longest first: one of these that begins last would keep everybody waiting for itself.
 * Jest knows how long a file took only where it has run before; on a fresh clone it goes by the size of a
 * file, and some of the shortest files run the longest.
 */
const longest = [
  'apps/loadtest/test/chaos',
  'apps/web/test/demos',
  'apps/web/test/foreign-page',
  'packages/redis/test/access',
  'apps/gateway/test/live-failure',
  'packages/channels/test/cluster',
  'packages/testing/test/nginx-nodes',
  'apps/web/test/web',
  'apps/gateway/test/start-up',
  'apps/web/test/many-tabs',
  'apps/gateway/test/full',
  'apps/local/test/local',
  'packages/client/test/rolling-update',
  'packages/redis/test/requirements',
  'packages/client/test/failover',
  'apps/loadtest/test/load',
  'packages/redis/test/slots.cluster',
  'apps/gateway/test/wechat-formats',
  'packages/client/test/login',
  'apps/gateway/test/pool-command',
  'apps/web/test/same-phone',
  'packages/client/test/chaos',
].map((name) => {
  const file = fileURLToPath(new URL(`../${name}.test.ts`, import.meta.url))
  if (!existsSync(file)) throw new Error(`scripts/sequencer.js names a test that is not there: ${name}`)
  return file
})

/**
 * Of the longest, so many run at once, and the other workers have what is short. They start whole clusters:
 * with one on each of four workers two cores are so busy that bounds of the product itself, such as the three
 * seconds of a command, are passed.
 */
const AT_ONCE = 2
/**
 * Files that are begun between two of the longest: about as many as two workers finish while two others are
 * at one of those.
 */
const BETWEEN = 4

// biome-ignore lint/style/noDefaultExport: Jest asks for it.
export default class extends TestSequencer {
  sort(tests) {
    const sorted = super.sort(tests)
    const long = longest.flatMap((file) => sorted.filter(({ path }) => path === file))
    const others = sorted.filter(({ path }) => !longest.includes(path))
    return [
      ...long.slice(0, AT_ONCE),
      ...long.slice(AT_ONCE).flatMap((one) => [...others.splice(0, BETWEEN), one]),
      ...others,
    ]
  }
}

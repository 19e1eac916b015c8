import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import TestSequencer from '@jest/test-sequencer'

/**
 * The longest test files, the longest first. A long file that begins last would delay the whole run. Jest
 * knows durations only after an earlier run. On a fresh clone it sorts by file size, and some of the smallest
 * files run the longest.
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
  if (!existsSync(file)) throw new Error(`scripts/sequencer.js names a test that does not exist: ${name}`)
  return file
})

/**
 * Maximum of long files that begin together; the other workers run short files. Long files start whole
 * clusters. Four of them on two cores would exceed time limits of the product itself, such as the three
 * seconds for a command.
 */
const AT_ONCE = 2
/**
 * Short files between two long ones: about as many as two workers finish while two others run one long file.
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

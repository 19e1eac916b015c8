import { join } from 'node:path'
import type { FaultName } from '../src/load/faults.ts'
import type { Result } from '../src/load/result.ts'
import { readResult, reportFolder, runLoad } from './run-load.ts'

const SMALL = [
  ...['--browsers', '70', '--people', '15', '--subscribers', '15', '--workers', '1'],
  ...['--logins', '2', '--messages', '10', '--broadcasts', '4'],
  ...['--ramp', '1s', '--duration', '1s', '--calm', '500ms', '--down', '500ms'],
]

/** One round, in this order. */
const runChaos = async (faults: readonly FaultName[], ...args: string[]): Promise<{ result: Result; text: string }> => {
  const json = join(await reportFolder(), 'chaos.json')
  const { code, text } = await runLoad('chaos', ...SMALL, '--faults', faults.join(','), '--json', json, ...args)
  if (code !== 0) throw new Error(text)
  const result = await readResult(json)
  expect(result.outages.map(({ fault }) => fault)).toEqual(faults)
  for (const { from, to, greenAt } of result.outages) {
    expect(to).toBeGreaterThan(from)
    expect(greenAt).toBeGreaterThan(to)
  }
  expect(result.counts).toMatchObject({ lost: 0, wrong: 0, duplicated: 0, disordered: 0 })
  // There was something to lose.
  expect(result.counts.logins).toBeGreaterThan(0)
  expect(result.counts.published).toBeGreaterThan(0)
  expect(result.connected.max).toBe(100)
  return { result, text }
}

// Each fault happens once while a hundred are connected. Nobody is taken for somebody else, and in the end
// all is green.
test('no fault of a standalone Redis costs an acknowledged message', async () => {
  // The nodes' turns are apart: one right after the other would leave nginx without a node that it believes
  // in.
  const { result, text } = await runChaos([
    'kill',
    'redis',
    'subscriber',
    'noreplicas',
    'freeze',
    'oom',
    'reload',
    'drain',
  ])
  // The faults were felt.
  expect(result.counts.refused).toBeGreaterThan(0)
  expect(result.counts.reconnects).toBeGreaterThan(0)
  expect(result).toMatchObject({ redis: 'standalone', seed: expect.any(Number) })
  expect(text).toMatch(/^faults drawn by --seed \d+, on standalone Redis$/m)
  expect(text).toMatch(/^noreplicas +1 /m)
}, 120_000)

// Its slots move, its masters refuse writes and its replicas take over.
test('no fault of a Redis Cluster costs an acknowledged message', async () => {
  const { result } = await runChaos(['slots', 'oom', 'slots', 'failover', 'noreplicas'], '--redis', 'cluster')
  expect(result.counts.refused).toBeGreaterThan(0)
  expect(result.faults).toMatchObject([
    { fault: 'slots', times: 2, neverGreen: 0 },
    { fault: 'oom', times: 1 },
    { fault: 'failover', times: 1 },
    { fault: 'noreplicas', times: 1 },
  ])
}, 120_000)

import { join } from 'node:path'
import { readResult, reportFolder, runLoad } from './run-load.ts'

const FAULTS = ['kill', 'redis', 'subscriber', 'drain']

test('every fault once, a hundred connected: nothing acknowledged is lost, nobody is somebody else, all is green again', async () => {
  const json = join(await reportFolder(), 'chaos.json')
  const { code, text } = await runLoad(
    'chaos',
    ...['--browsers', '70', '--people', '15', '--subscribers', '15', '--workers', '1'],
    ...['--logins', '2', '--messages', '10', '--broadcasts', '2'],
    // The nodes' turns are apart: one right after the other would leave nginx without a node that it believes in.
    ...['--faults', FAULTS.join(','), '--expect', 'lost==0,wrong==0,recovery.max<20s'],
    ...['--ramp', '1s', '--duration', '1s', '--calm', '500ms', '--down', '500ms', '--json', json],
  )
  if (code !== 0) throw new Error(text)

  const { outages, counts, connected } = await readResult(json)
  expect(outages.map(({ fault }) => fault)).toEqual(FAULTS)
  for (const { from, to, greenAt } of outages) {
    expect(to).toBeGreaterThan(from)
    expect(greenAt).toBeGreaterThan(to)
  }
  expect(counts).toMatchObject({ lost: 0, wrong: 0 })
  // The faults were felt, and there was something to lose.
  expect(counts.refused).toBeGreaterThan(0)
  expect(counts.reconnects).toBeGreaterThan(0)
  expect(counts.logins).toBeGreaterThan(0)
  expect(counts.published).toBeGreaterThan(0)
  expect(connected.max).toBe(100)
}, 90_000)

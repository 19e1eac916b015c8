import type { Outage } from '../src/load/chaos.ts'
import { judgeRescans } from '../src/load/rescans.ts'

const outage = (fault: Outage['fault']): Outage => ({ fault, what: '', from: 10_000, to: 14_000, greenAt: 15_000 })
const rescan = (at: number, answer?: string) => ({ at, say: `at ${at}`, ...(answer ? { answer } : {}) })

test('a code used up without tokens is a lost login if Redis answered everything', () => {
  const refused = rescan(12_000, 'temporarily_unavailable')
  for (const fault of ['noreplicas', 'oom', 'slots', 'drain', 'subscriber'] as const)
    expect(judgeRescans([refused], [outage(fault)])).toEqual({ excused: [], lost: [refused] })
  expect(judgeRescans([refused], [])).toEqual({ excused: [], lost: [refused] })
})

// An outage lasts from a moment before a node or Redis is gone until all is green again.
test('a code used up without tokens is no lost login around an outage', () => {
  const [early, before, during, healing, late] = [8_000, 9_500, 12_000, 14_900, 15_100].map((at) =>
    rescan(at, 'temporarily_unavailable'),
  ) as [ReturnType<typeof rescan>, ...ReturnType<typeof rescan>[]]
  for (const fault of ['kill', 'redis', 'freeze', 'failover'] as const)
    expect(
      judgeRescans(
        [early, before, during, healing, late].flatMap((each) => each ?? []),
        [outage(fault)],
      ),
    ).toEqual({
      excused: [before, during, healing],
      lost: [early, late],
    })
})

test('a code without any answer is no lost login', () => {
  const cut = rescan(1_000)
  expect(judgeRescans([cut], [])).toEqual({ excused: [cut], lost: [] })
})

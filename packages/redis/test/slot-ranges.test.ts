import { areSlots, firstSlot, SLOTS, slotsOf, textOf } from '../src/slot-ranges.ts'

const all = Array.from({ length: SLOTS }, (_, slot) => slot)

test('slots are ascending, disjoint ranges, and nothing else', () => {
  for (const good of ['', '0-0', '0-16383', '0-5460,10923-16383', '3-3,4-4'])
    expect([good, areSlots(good)]).toEqual([good, true])
  const twice = Array.from({ length: 720 }, () => '0-16383').join()
  const bad = ['0', '5-4', '0-16384', '0-5,5-9', '7-9,0-3', '0-1,', '-', '0-1-2', ' 0-1', '000000-1', '99999-99999']
  const many = all.slice(0, 129).map((slot) => `${2 * slot}-${2 * slot}`)
  for (const text of [...bad, twice, many.join()]) expect([text, areSlots(text)]).toEqual([text, false])
  expect(areSlots(many.slice(1).join())).toBe(true)
})

test.each([1, 2, 3, 7, 64, 16_384])('a walk over %s masters with alternating slots ends', (masters) => {
  let text = ''
  let steps = 0
  for (;;) {
    const walked = slotsOf(text)
    const next = all.find((slot) => !walked.has(slot))
    if (next === undefined) throw new Error('the end is seen when the last master was walked through')
    for (const slot of all) if (slot % masters === next % masters) walked.add(slot)
    steps++
    if (walked.size === SLOTS) break
    text = textOf(walked)
    expect([areSlots(text), text.length <= 1_600, firstSlot(text)]).toEqual([true, true, 0])
    // Each step comes further.
    expect(slotsOf(text).has(next)).toBe(true)
    if (masters === SLOTS && steps > 1_000) return
  }
  expect(steps).toBeGreaterThanOrEqual(masters)
})

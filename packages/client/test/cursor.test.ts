import type { Message, Page, Position } from '@saoma/protocol'
import { createCursor, type Lost } from '../src/live/cursor.ts'

const CHANNEL = 'room:open'
const at = (offset: number, epoch = 'one'): Message => ({
  channel: CHANNEL,
  event: 'number',
  data: offset,
  time: 0,
  epoch,
  offset,
})
const range = (from: number, to: number, epoch = 'one') =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => at(from + i, epoch))
const page = (messages: Message[], end: Position, rest: Partial<Page> = {}): Page => ({
  channel: CHANNEL,
  recovered: true,
  ...end,
  messages,
  ...rest,
})

const reader = (position?: Position) => {
  const told: string[] = []
  const lost: Lost[] = []
  const cursor = createCursor({
    position,
    onMessage: ({ epoch, offset }) => told.push(`${epoch}:${offset}`),
    onLost: (loss) => {
      lost.push(loss)
      told.push(`lost:${loss.reason}`)
    },
  })
  return { cursor, told, lost }
}

test('nothing is delivered before the first answer gives the position', () => {
  const { cursor, told } = reader()
  expect(cursor.receive(at(5))).toBe(false)
  cursor.take(page([], { epoch: 'one', offset: 4 }, { recovered: false }))
  expect(cursor.receive(at(5))).toBe(true)
  expect(told).toEqual(['one:5'])
})

test('a known message is not delivered again, whichever way it comes', () => {
  const { cursor, told } = reader({ epoch: 'one', offset: 3 })
  expect(cursor.receive(at(3))).toBe(true)
  cursor.take(page(range(2, 6), { epoch: 'one', offset: 6 }))
  expect(cursor.receive(at(5))).toBe(true)
  expect(told).toEqual(['one:4', 'one:5', 'one:6'])
})

test('a message behind a hole waits for the missing ones', () => {
  const { cursor, told } = reader({ epoch: 'one', offset: 3 })
  expect(cursor.receive(at(6))).toBe(false)
  expect(cursor.position).toEqual({ epoch: 'one', offset: 3 })
  cursor.take(page(range(4, 6), { epoch: 'one', offset: 6 }))
  expect(told).toEqual(['one:4', 'one:5', 'one:6'])
})

test('the first message of an empty channel is next, and an older page moves nothing back', () => {
  const empty = { epoch: 'none-1795248000000', offset: 0 }
  const { cursor, told, lost } = reader()
  cursor.take(page([], empty, { recovered: false }))
  expect(cursor.receive(at(2))).toBe(false)
  expect(cursor.receive(at(1))).toBe(true)
  cursor.take(page([], { ...empty, epoch: 'none-1795248000001' }))
  expect(cursor.receive(at(1))).toBe(true)
  expect(cursor.receive(at(2))).toBe(true)
  expect([told, lost]).toEqual([['one:1', 'one:2'], []])
  cursor.take(page([], empty, { recovered: false, reason: 'epoch' }))
  expect(cursor.position).toEqual(empty)
})

test('another epoch is a hole even if its numbers fit', () => {
  const { cursor } = reader({ epoch: 'one', offset: 3 })
  expect(cursor.receive(at(4, 'two'))).toBe(false)
})

test.each(['trimmed', 'epoch'] as const)(
  'a loss (%s) is reported first, and delivery continues from the server’s position',
  (reason) => {
    const { cursor, told, lost } = reader({ epoch: 'one', offset: 3 })
    const epoch = reason === 'epoch' ? 'two' : 'one'
    cursor.take(page(range(8, 9, epoch), { epoch, offset: 9 }, { recovered: false, reason }))
    expect(cursor.receive(at(10, epoch))).toBe(true)
    expect(told).toEqual([`lost:${reason}`, `${epoch}:8`, `${epoch}:9`, `${epoch}:10`])
    expect(lost).toEqual([{ reason, since: { epoch: 'one', offset: 3 }, position: { epoch, offset: 9 } }])
  },
)

test('a page read before live messages does not move the position back', () => {
  const { cursor, told } = reader({ epoch: 'one', offset: 3 })
  cursor.receive(at(4))
  cursor.receive(at(5))
  cursor.take(page([at(4)], { epoch: 'one', offset: 4 }))
  expect(cursor.receive(at(6))).toBe(true)
  expect(told).toEqual(['one:4', 'one:5', 'one:6'])
})

test('nothing is delivered after the end, not even the rest of a page', () => {
  const told: number[] = []
  const cursor = createCursor({
    position: { epoch: 'one', offset: 0 },
    onMessage: ({ offset }) => {
      told.push(offset)
      cursor.close()
    },
    onLost: () => {},
  })
  cursor.take(page(range(1, 3), { epoch: 'one', offset: 3 }))
  cursor.receive(at(2))
  expect(told).toEqual([1])
  // What was not told is asked for by whoever comes next.
  expect(cursor.position).toEqual({ epoch: 'one', offset: 1 })
})

test('any mix of late, doubled or missing pages and messages gives each number once in order', () => {
  let seed = 20_26
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % n
  }
  for (let run = 0; run < 300; run++) {
    const top = 1 + random(40)
    const { cursor, told } = reader({ epoch: 'one', offset: 0 })
    for (let steps = 0; cursor.position?.offset !== top && steps < 10_000; steps++) {
      const known = cursor.position?.offset ?? 0
      if (random(3) > 0) {
        cursor.receive(at(1 + random(top)))
      } else {
        const from = random(known + 1)
        const end = Math.min(top, from + random(6))
        // An answer to a question of before: it begins after some position that was ours.
        cursor.take(page(range(from + 1, end), { epoch: 'one', offset: end }))
      }
    }
    expect(told).toEqual(range(1, top).map(({ offset }) => `one:${offset}`))
  }
})

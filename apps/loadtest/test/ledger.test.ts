import { createLedger } from '../src/load/ledger.ts'

const ROOM = 'room:books'

/** A publisher that says where its messages lie, and a reader who begins after offset 2. */
const open = () => {
  const ledger = createLedger()
  const reader = ledger.addReader(ROOM, 'ann')
  reader.joined({ epoch: 'e', offset: 2 })
  return {
    ledger,
    reader,
    publish: (offset: number, epoch = 'e') => ledger.acknowledged(ROOM, { epoch, offset }, `m${epoch}${offset}`),
    give: (offset: number, epoch = 'e', to = ROOM) =>
      reader.received({ epoch, offset }, { to, id: `m${epoch}${offset}` }),
  }
}

test('messages that arrive once and in order as acknowledged leave clean books', () => {
  const { ledger, publish, give } = open()
  for (const offset of [3, 4, 5]) publish(offset)
  for (const offset of [3, 4, 5]) give(offset)
  expect(ledger.isComplete()).toBe(true)
  expect(ledger.account()).toEqual({
    acknowledged: 3,
    received: 3,
    lost: 0,
    duplicated: 0,
    disordered: 0,
    wrong: 0,
    named: { lost: [], duplicated: [], disordered: [], wrong: [] },
  })
})

test('messages acknowledged before the reader joined are not missed', () => {
  const { ledger, publish } = open()
  publish(1)
  publish(2)
  expect(ledger.account().lost).toBe(0)
})

test('a missing message is named, between two others and at the end', () => {
  const { ledger, publish, give } = open()
  for (const offset of [3, 4, 5, 6, 7]) publish(offset)
  for (const offset of [3, 5]) give(offset)
  expect(ledger.isComplete()).toBe(false)
  expect(ledger.account()).toMatchObject({ lost: 3, named: { lost: ['room:books: ann never got e:4, 6-7'] } })
})

test('a hole that nobody was promised is no loss', () => {
  const { ledger, publish, give } = open()
  publish(3)
  publish(5)
  give(3)
  give(5)
  expect(ledger.account().lost).toBe(0)
})

test('a message that comes twice is named', () => {
  const { ledger, publish, give } = open()
  publish(3)
  give(3)
  give(3)
  expect(ledger.account()).toMatchObject({
    lost: 0,
    duplicated: 1,
    named: { duplicated: ['room:books: ann was given e:3 again'] },
  })
})

test('a message kept twice under one idempotency key is named', () => {
  const { ledger, publish, reader } = open()
  publish(3)
  reader.received({ epoch: 'e', offset: 3 }, { to: ROOM, id: 'me3' })
  reader.received({ epoch: 'e', offset: 4 }, { to: ROOM, id: 'me3' })
  expect(ledger.account()).toMatchObject({
    duplicated: 1,
    named: { duplicated: ['room:books: message me3 lies at e:3 and at e:4'] },
  })
})

test('a message that arrives after a later one is out of order and not lost', () => {
  const { ledger, publish, give } = open()
  for (const offset of [3, 4]) publish(offset)
  give(4)
  give(3)
  expect(ledger.account()).toMatchObject({
    lost: 0,
    duplicated: 0,
    disordered: 1,
    named: { disordered: ['room:books: ann was given e:3 after 4'] },
  })
})

test("somebody else's message is wrong", () => {
  const { ledger, give } = open()
  give(3, 'e', 'user:bob')
  expect(ledger.account()).toMatchObject({
    wrong: 1,
    named: { wrong: ['room:books: ann was given e:3, which was for user:bob'] },
  })
})

test('a message reported as gone is lost, and those after it are not', () => {
  const { ledger, reader, publish, give } = open()
  for (const offset of [3, 4, 5, 6]) publish(offset)
  give(3)
  reader.skipped({ epoch: 'e', offset: 5 })
  give(6)
  expect(ledger.account()).toMatchObject({ lost: 2, named: { lost: ['room:books: ann never got e:4-5'] } })
})

test('a log that began again counts from its first message, and the old one still counts', () => {
  const { ledger, reader, publish, give } = open()
  publish(3)
  publish(4)
  give(3)
  publish(1, 'f')
  publish(2, 'f')
  reader.skipped({ epoch: 'f', offset: 1 })
  give(2, 'f')
  expect(ledger.account().named.lost).toEqual(['room:books: ann never got e:4', 'room:books: ann never got f:1'])
})

// The reader has them again under another epoch.
test('messages of a replaced master are no fault once that was reported', () => {
  const { ledger, reader, publish } = open()
  const give = (offset: number, epoch: string, id: string) => reader.received({ epoch, offset }, { to: ROOM, id })
  publish(3)
  give(3, 'e', 'me3')
  // Heard of the old master at 4 and 5; the new one has them the other way round, and more.
  give(4, 'e', 'me5')
  give(5, 'e', 'me4')
  for (const offset of [4, 5, 6]) publish(offset)
  expect(ledger.account()).toMatchObject({ lost: 3, duplicated: 2 })
  reader.skipped({ epoch: 'f', offset: 3 })
  for (const offset of [4, 5, 6]) give(offset, 'f', `me${offset}`)
  ledger.acknowledged(ROOM, { epoch: 'f', offset: 6 }, 'me6')
  ledger.acknowledged(ROOM, { epoch: 'f', offset: 7 }, 'me7')
  expect(ledger.account()).toMatchObject({
    lost: 1,
    duplicated: 0,
    disordered: 0,
    named: { lost: ['room:books: ann never got f:7'] },
  })
})

// It is acknowledged in that epoch.
test('a message read before its log got another epoch is not lost', () => {
  const { ledger, reader, publish, give } = open()
  publish(3)
  for (const offset of [3, 4]) give(offset)
  reader.skipped({ epoch: 'f', offset: 5 })
  reader.received({ epoch: 'f', offset: 5 }, { to: ROOM, id: 'me5' })
  ledger.acknowledged(ROOM, { epoch: 'f', offset: 4 }, 'me4')
  ledger.acknowledged(ROOM, { epoch: 'f', offset: 5 }, 'me5')
  expect(ledger.account()).toMatchObject({ lost: 0, duplicated: 0 })
})

test('a message whose place another one took is lost until the reader has it', () => {
  const { ledger, reader, publish, give } = open()
  reader.received({ epoch: 'e', offset: 3 }, { to: ROOM, id: 'of a master that had been replaced' })
  for (const offset of [3, 4]) publish(offset)
  give(4)
  expect(ledger.isComplete()).toBe(false)
  expect(ledger.account()).toMatchObject({ lost: 1, named: { lost: ['room:books: ann never got e:3'] } })
  reader.skipped({ epoch: 'f', offset: 2 })
  reader.received({ epoch: 'f', offset: 3 }, { to: ROOM, id: 'me3' })
  expect(ledger.isComplete()).toBe(true)
})

test('a message acknowledged at two places was kept twice, whatever was reported', () => {
  const { ledger, reader, publish } = open()
  publish(3)
  reader.skipped({ epoch: 'f', offset: 3 })
  ledger.acknowledged(ROOM, { epoch: 'f', offset: 4 }, 'me3')
  expect(ledger.account().named.duplicated).toEqual(['room:books: message me3 is kept at e:3 and f:4'])
})

test('a report to another worker counts for the readers here', () => {
  const teller = open()
  for (const offset of [3, 4, 5]) teller.publish(offset)
  const { ledger, give } = open()
  give(3)
  expect(ledger.isComplete()).toBe(true)
  ledger.assume(ROOM, teller.ledger.told(ROOM))
  expect(ledger.account()).toMatchObject({ lost: 2, named: { lost: ['room:books: ann never got e:4-5'] } })
})

test('a reader that never joined was promised nothing', () => {
  const ledger = createLedger()
  ledger.addReader(ROOM, 'late')
  ledger.acknowledged(ROOM, { epoch: 'e', offset: 1 }, 'a')
  expect(ledger.account().lost).toBe(0)
})

test('the ledger gives the time until which everything reported has arrived', () => {
  const ledger = createLedger()
  const [reader, other] = [ledger.addReader(ROOM, 'ann'), ledger.addReader('user:bob', 'bob')]
  reader.joined({ epoch: 'e', offset: 0 })
  other.joined({ epoch: 'e', offset: 0 })
  const publish = (channel: string, offset: number, at: number) =>
    ledger.acknowledged(channel, { epoch: 'e', offset }, `${channel}${offset}`, at)
  const give = (channel: string, to: typeof reader, offset: number) =>
    to.received({ epoch: 'e', offset }, { to: channel, id: `${channel}${offset}` })

  expect(ledger.arrivedUntil(ROOM)).toBe(Number.NEGATIVE_INFINITY)
  publish(ROOM, 1, 100)
  publish(ROOM, 2, 200)
  give(ROOM, reader, 1)
  expect(ledger.arrivedUntil(ROOM)).toBe(100)
  give(ROOM, reader, 2)
  expect(ledger.arrivedUntil(ROOM)).toBe(200)
  // Somebody else who waits since an earlier moment.
  publish('user:bob', 1, 150)
  expect(ledger.arrivedUntil(ROOM)).toBe(150)
  give('user:bob', other, 1)
  expect(ledger.arrivedUntil(ROOM)).toBe(200)
})

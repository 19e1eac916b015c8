import { applyEdit, type Edit, emptyOrder, MOST_OF_ONE_DISH, type Order } from '../src/order.ts'

const ana = { user: 'u-ana', name: 'Ana' }
const ben = { user: 'u-ben', name: 'Ben' }

/** Edits one after the other, each by somebody who saw the one before. */
const after = (...edits: Edit[]): Order =>
  edits.reduce((order, edit) => applyEdit(order, edit, order.version, ana).order, emptyOrder('7'))

const noodles: Edit = { kind: 'quantity', dish: 'noodles', delta: 2 }

test('quantities are differences: simultaneous orders add up', () => {
  const order = after(noodles)
  const first = applyEdit(order, { kind: 'quantity', dish: 'noodles', delta: 3 }, order.version, ana)
  const second = applyEdit(first.order, { kind: 'quantity', dish: 'noodles', delta: -1 }, order.version, ben)
  expect(second).toMatchObject({
    kind: 'changed',
    order: { version: 3, lines: [{ dish: 'noodles', quantity: 4, by: 'Ana' }] },
    change: { version: 3, kind: 'line', dish: 'noodles', line: { quantity: 4 }, author: ben },
  })
})

test('a dish leaves the order at zero and never goes below', () => {
  const order = after(noodles)
  const gone = applyEdit(order, { kind: 'quantity', dish: 'noodles', delta: -5 }, 1, ana)
  expect(gone).toMatchObject({ kind: 'changed', order: { lines: [] }, change: { line: null } })
  expect(applyEdit(gone.order, { kind: 'quantity', dish: 'noodles', delta: -1 }, 1, ben).kind).toBe('unchanged')
})

test(`no table gets more than ${MOST_OF_ONE_DISH} of one dish`, () => {
  const order = after({ kind: 'quantity', dish: 'rice', delta: MOST_OF_ONE_DISH })
  expect(applyEdit(order, { kind: 'quantity', dish: 'rice', delta: 1 }, 1, ana)).toEqual({
    kind: 'refused',
    code: 'FULL',
    order,
  })
})

test('a note that was rewritten meanwhile is not overwritten, whatever else changed', () => {
  const order = after(noodles)
  const theirs = applyEdit(order, { kind: 'note', dish: 'noodles', note: 'hot' }, 1, ana).order
  const mine = (note: string, based: number) => applyEdit(theirs, { kind: 'note', dish: 'noodles', note }, based, ben)
  expect(mine('mild', 1)).toEqual({ kind: 'refused', code: 'CONFLICT', order: theirs })
  expect(mine('hot', 1).kind).toBe('unchanged')
  expect(mine('mild', 2)).toMatchObject({ kind: 'changed', change: { line: { note: 'mild', noteVersion: 3 } } })

  const unrelated = applyEdit(order, { kind: 'quantity', dish: 'noodles', delta: 1 }, 1, ana).order
  expect(applyEdit(unrelated, { kind: 'note', dish: 'noodles', note: 'mild' }, 1, ben).kind).toBe('changed')
})

test('removing a missing dish changes nothing, and a note for it is refused', () => {
  const order = after(noodles, { kind: 'remove', dish: 'noodles' })
  expect(applyEdit(order, { kind: 'remove', dish: 'noodles' }, 1, ben)).toEqual({ kind: 'unchanged', order })
  expect(applyEdit(order, { kind: 'note', dish: 'noodles', note: 'hot' }, 1, ben)).toMatchObject({ code: 'CONFLICT' })
})

test('nobody sends to the kitchen an order that is empty or that they have not seen', () => {
  const order = after(noodles, { kind: 'quantity', dish: 'tea', delta: 1 })
  expect(applyEdit(order, { kind: 'place' }, 1, ana)).toMatchObject({ code: 'CONFLICT' })
  expect(applyEdit(order, { kind: 'place' }, 2, ana)).toMatchObject({ kind: 'changed', order: { status: 'placed' } })
  expect(applyEdit(emptyOrder('7'), { kind: 'place' }, 0, ana)).toMatchObject({ code: 'CONFLICT' })
})

test('a placed order is frozen until the next one begins', () => {
  const placed = after(noodles, { kind: 'place' })
  const edits: Edit[] = [noodles, { kind: 'note', dish: 'noodles', note: 'hot' }, { kind: 'remove', dish: 'noodles' }]
  for (const edit of edits) expect(applyEdit(placed, edit, placed.version, ben)).toMatchObject({ code: 'PLACED' })
  expect(applyEdit(placed, { kind: 'place' }, 1, ben).kind).toBe('unchanged')

  const next = applyEdit(placed, { kind: 'begin' }, placed.version, ben)
  expect(next.order).toEqual({ table: '7', version: 3, status: 'open', lines: [] })
  expect(applyEdit(next.order, { kind: 'begin' }, placed.version, ana).kind).toBe('unchanged')
})

test('a version that never existed is refused: it is of another database', () => {
  expect(applyEdit(after(noodles), noodles, 9, ana)).toMatchObject({ code: 'CONFLICT' })
})

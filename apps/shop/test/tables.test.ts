import { randomUUID } from 'node:crypto'
import { connectLive, type LiveClient, phoneToken, webToken } from '@saoma/testing'
import { type Change, type Edit, emptyOrder, type Order } from '../src/order.ts'
import { type Restaurant, startRestaurant } from './start.ts'

let restaurant: Restaurant
let token: string

beforeAll(async () => {
  restaurant = await startRestaurant(1_000)
  token = (await webToken(restaurant.cluster.origin, 'Ana')).access_token
})

const open = async (table: string, as = token): Promise<LiveClient> => {
  const client = connectLive(restaurant.cluster.origin, { token: as })
  await client.next('connect')
  expect(await client.subscribe({ channel: `room:table-${table}` })).toMatchObject({ ok: true })
  return client
}

const orderOf = async (table: string): Promise<Order> => (await restaurant.get<Order>(`tables/${table}`, token)).body

/** What a page does: applies each change to the order before it. Fails at a hole. */
const followTo = async (client: LiveClient, table: string, version: number): Promise<Order> => {
  let order = emptyOrder(table)
  while (order.version < version) {
    const change = (await client.next('message')).data as Change
    expect(change.version).toBe(order.version + 1)
    order = {
      ...order,
      version: change.version,
      lines:
        change.kind === 'line'
          ? [...order.lines.filter(({ dish }) => dish !== change.dish), ...(change.line ? [change.line] : [])]
          : order.lines,
    }
  }
  return order
}

// All end with the same order.
test('no edit is lost when twenty clients edit one table at once', async () => {
  const people = await Promise.all(
    ['Ana', 'Ben', 'Chen', 'Dai'].map((name) => webToken(restaurant.cluster.origin, name)),
  )
  const clients = await Promise.all(
    Array.from({ length: 20 }, (_, i) => open('1', people[i % people.length]?.access_token)),
  )
  // No line goes below nothing, whoever comes first.
  await restaurant.edit('1', token, { kind: 'quantity', dish: 'rice', delta: 10 })
  const edits = clients.flatMap((_, i): Edit[] => [
    { kind: 'quantity', dish: 'rice', delta: 1 },
    { kind: 'quantity', dish: i % 2 ? 'tea' : 'mapo', delta: 2 },
    { kind: 'quantity', dish: 'rice', delta: i % 4 ? 1 : -1 },
  ])
  const answers = await Promise.all(
    edits.map((edit, i) => restaurant.edit('1', people[i % people.length]?.access_token ?? '', edit)),
  )
  expect(answers.map(({ status }) => status)).toEqual(edits.map(() => 200))

  const truth = await orderOf('1')
  const quantities = Object.fromEntries(truth.lines.map(({ dish, quantity }) => [dish, quantity]))
  expect(quantities).toEqual({ rice: 10 + 20 + 15 - 5, tea: 20, mapo: 20 })
  expect(truth.version).toBe(1 + edits.length)
  const sorted = ({ lines, ...order }: Order) => ({
    ...order,
    lines: lines.toSorted((a, b) => (a.dish < b.dish ? -1 : 1)),
  })
  for (const client of clients) expect(sorted(await followTo(client, '1', truth.version))).toEqual(sorted(truth))
})

test('of two simultaneous notes one is kept, and the other is refused with the kept one', async () => {
  const { body: order } = await restaurant.edit('2', token, { kind: 'quantity', dish: 'mapo', delta: 1 })
  const notes = ['hot', 'mild']
  const answers = await Promise.all(
    notes.map((note) => restaurant.edit('2', token, { kind: 'note', dish: 'mapo', note }, { based: order.version })),
  )
  const won = answers.findIndex(({ status }) => status === 200)
  expect(answers[1 - won]).toMatchObject({
    status: 409,
    body: { code: 'CONFLICT', order: { version: 2, lines: [{ note: notes[won] }] } },
  })
  expect(await orderOf('2')).toMatchObject({ version: 2, lines: [{ note: notes[won] }] })
})

test('an edit that is sent again happens once', async () => {
  const id = randomUUID()
  const one: Edit = { kind: 'quantity', dish: 'rice', delta: 1 }
  const answers = await Promise.all([1, 2, 3].map(() => restaurant.edit('3', token, one, { id })))
  expect(answers.map(({ status, body }) => [status, body.lines[0]?.quantity])).toEqual([
    [200, 1],
    [200, 1],
    [200, 1],
  ])
})

// Afterwards nothing changes.
test('of twenty who send the order to the kitchen one succeeds', async () => {
  const client = await open('4')
  await restaurant.edit('4', token, { kind: 'quantity', dish: 'rice', delta: 1 })
  await Promise.all(Array.from({ length: 20 }, () => restaurant.edit('4', token, { kind: 'place' }, { based: 1 })))
  const late = await restaurant.edit('4', token, { kind: 'quantity', dish: 'rice', delta: 1 }, { based: 2 })
  expect(late).toMatchObject({ status: 409, body: { code: 'PLACED', order: { version: 2, status: 'placed' } } })
  expect((await client.next('message')).data).toMatchObject({ version: 1 })
  expect((await client.next('message')).data).toMatchObject({ version: 2, kind: 'place' })
})

test('a shop that is killed forgets no edit that it confirmed and announces each', async () => {
  const client = await open('5')
  const edits = Array.from({ length: 100 }, () =>
    restaurant.edit('5', token, { kind: 'quantity', dish: 'tea', delta: 1 }).catch(() => ({ status: 0 })),
  )
  await client.next('message')
  await restaurant.shop.kill('SIGKILL')
  const made = (await Promise.all(edits)).filter(({ status }) => status === 200).length
  await restaurant.shop.restart()

  const truth = await orderOf('5')
  expect(truth.version).toBeGreaterThanOrEqual(made)
  let heard = 1
  while (heard < truth.version) heard = ((await client.next('message')).data as Change).version
  expect(truth.lines[0]?.quantity ?? 0).toBe(Math.min(truth.version, 99))
})

test('a page cannot write into the channel of a table', async () => {
  const client = await open('6')
  const forged = { version: 1, kind: 'place', author: { user: 'x', name: 'x' } }
  expect(await client.publish({ channel: 'room:table-6', event: 'changed', data: forged })).toMatchObject({
    ok: false,
    code: 'FORBIDDEN',
  })
})

test('only the token of a login gives access, and a phone has none', async () => {
  const { origin } = restaurant.cluster
  for (const wrong of [undefined, 'x', `${token}x`, await phoneToken(origin, 'Ana')])
    expect((await restaurant.get('tables/7', wrong)).status).toBe(401)
  expect((await restaurant.get('tables/7', token)).status).toBe(200)
})

test.each([
  [{ kind: 'quantity', dish: 'caviar', delta: 1 }],
  [{ kind: 'quantity', dish: 'rice', delta: 1e9 }],
  [{ kind: 'quantity', dish: 'rice', delta: 0.5 }],
  [{ kind: 'note', dish: 'rice', note: 'x'.repeat(201) }],
  [{ kind: 'eat' }],
  [null],
])('%j is refused as malformed', async (edit) => {
  const json = { id: randomUUID(), based: 0, name: 'Ana', edit }
  expect(await restaurant.post('tables/7/edits', token, json)).toMatchObject({ status: 422, body: { code: 'INVALID' } })
})

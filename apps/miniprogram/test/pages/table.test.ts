/** @jest-environment jsdom */
import type { TableScreen } from '../../src/logic/table-screen.ts'
import { zh } from '../../src/logic/words-zh.ts'
import { buildPackage, loadPage } from './stage.ts'

const open = loadPage<TableScreen>(buildPackage(), 'pages/table/index', 'table')
const words = zh.table

type Ready = Extract<TableScreen, { status: 'ready' }>
const ready = (given: Partial<Ready> = {}): TableScreen => ({
  status: 'ready',
  connection: 'socket',
  isPlaced: false,
  menu: [
    { id: 'noodles', name: { en: 'Noodles', zh: '牛肉面' }, price: 2_800, label: '牛肉面', quantity: 2 },
    { id: 'tea', name: { en: 'Tea', zh: '茶' }, price: 500, label: '茶', quantity: 0 },
  ],
  lines: [{ dish: 'noodles', name: '牛肉面', quantity: 2, price: 2_800, by: '#ab12', note: '<i>不要香菜</i>' }],
  total: 5_600,
  feed: [{ version: 7, id: 'x', author: { user: 'u', name: '#ab12' }, kind: 'place' }],
  ...given,
})
const acts = (calls: readonly unknown[][]) => calls.filter(([name]) => name === 'edit' || name === 'resolve')

it.each([
  [{ scene: '7' }, '7'],
  [{ table: '99' }, '99'],
  [{}, '1'],
  [{ scene: '100' }, '1'],
  [{ scene: '../7' }, '1'],
])('%j leads to table %s', (query, table) => {
  const page = open({ screen: { status: 'loading' }, query })
  expect(page.calls).toContainEqual(['table', table])
  page.show(ready())
  expect(page.text()).toContain(`${table} 号桌`)
  page.close()
})

it('shows the menu, who ordered what, and the sum', () => {
  const page = open({ screen: ready() })
  for (const part of [
    '牛肉面¥28.00',
    '牛肉面 × 2#ab12 点的<i>不要香菜</i>',
    '¥56.00',
    '#ab12 提交了订单',
    zh.connections.socket,
  ])
    expect(page.text()).toContain(part)
  page.close()
})

it('sends the difference when a number is changed, and nothing when it was not', () => {
  const page = open({ screen: ready() })
  page.send('.quantity', 'change', { value: 5 })
  page.send('.quantity', 'change', { value: 2 })
  expect(acts(page.calls)).toEqual([['edit', { kind: 'quantity', dish: 'noodles', delta: 3 }]])
  page.close()
})

it('opens the existing note for writing', async () => {
  const page = open({ screen: ready() })
  await page.tap('.edit-note')
  expect(page.rendered.data).toMatchObject({ draft: { visible: true, dish: 'noodles', note: '<i>不要香菜</i>' } })
  page.send('#note', 'change', { value: ' 多辣 ' })
  page.send('#draft', 'confirm', {})
  expect(acts(page.calls)).toEqual([['edit', { kind: 'note', dish: 'noodles', note: '多辣' }]])
  expect(page.rendered.data).toMatchObject({ draft: { visible: false } })
  page.close()
})

it('removes a line and sends the order to the kitchen', async () => {
  const page = open({ screen: ready() })
  await page.tap('.remove')
  await page.tap('.place')
  expect(acts(page.calls)).toEqual([
    ['edit', { kind: 'remove', dish: 'noodles' }],
    ['edit', { kind: 'place' }],
  ])
  page.close()
})

it('an order in the kitchen is not changed, and a new one can begin', async () => {
  const page = open({ screen: ready({ isPlaced: true }) })
  expect(page.text()).toContain(words.placed)
  expect(page.count('.edits')).toBe(0)
  await page.tap('.begin')
  expect(acts(page.calls)).toEqual([['edit', { kind: 'begin' }]])
  page.close()
})

it('an empty slip is not sent', async () => {
  const page = open({ screen: ready({ lines: [], total: 0, feed: [] }) })
  expect(page.text()).toContain(words.empty)
  await page.tap('.place')
  expect(acts(page.calls)).toEqual([])
  page.close()
})

it.each([
  ['confirm', true],
  ['cancel', false],
])('two notes for one dish are shown side by side: %s decides', (event, keepMine) => {
  const page = open({ screen: ready({ conflict: { dish: 'noodles', mine: '多辣', theirs: '' } }) })
  expect(page.text()).toContain('有人修改了牛肉面的备注')
  expect(page.text('.notes')).toContain(words.noNote)
  expect(page.text('.notes')).toContain('多辣')
  page.send('#conflict', event, {})
  expect(acts(page.calls)).toEqual([['resolve', keepMine]])
  page.close()
})

it('shows the reason when the shop refuses', () => {
  const page = open({ screen: ready({ refusal: 'PLACED' }) })
  expect(page.text('.error')).toBe(zh.refusals.PLACED)
  page.close()
})

it('a connection that has ended can be made again', async () => {
  const page = open({ screen: ready() })
  expect(page.count('.reconnect')).toBe(0)
  page.show(ready({ connection: 'ended' }))
  await page.tap('.reconnect')
  expect(page.calls.at(-1)).toEqual(['retry'])
  page.close()
})

it('says why there is nothing to see and tries again', async () => {
  const page = open({ screen: { status: 'loading' } })
  expect(page.text()).toContain(zh.loading)
  page.show({ status: 'failed', code: 'NETWORK' })
  expect(page.text()).toContain(zh.refusals.other)
  await page.tap('.retry')
  expect(page.calls.at(-1)).toEqual(['retry'])
  page.close()
})

import { createWx } from '@saoma/testing'
import { createStored } from '../../src/core/storage.ts'
import { createWxPage, createWxStorage } from '../../src/wx/index.ts'

test('a background mini-program is hidden, and one without a network is offline', async () => {
  const phone = createWx()
  const page = createWxPage(phone.wx)
  const seen: object[] = []
  const forget = page.onChange(() => seen.push({ hidden: page.hidden, online: page.online }))
  phone.background()
  phone.foreground()
  await Promise.resolve()
  phone.offline()
  phone.online()
  expect(seen).toEqual([
    { hidden: true, online: true },
    { hidden: false, online: true },
    { hidden: false, online: false },
    { hidden: false, online: true },
  ])
  forget()
  phone.background()
  phone.foreground()
  await Promise.resolve()
  expect(seen).toHaveLength(4)
})

test('a page knows of a network that went away before anybody listened', () => {
  const phone = createWx()
  phone.offline()
  const page = createWxPage(phone.wx)
  page.onChange(() => {})
  expect(page.online).toBe(false)
})

test('stored values survive a restart of the mini-program, and missing ones are null', () => {
  const storage = new Map<string, unknown>()
  const before = createWxStorage(createWx({ storage }).wx)
  expect(before.getItem('a')).toBeNull()
  before.setItem('a', '1')
  const after = createWxStorage(createWx({ storage }).wx)
  expect(after.getItem('a')).toBe('1')
  after.removeItem('a')
  expect(before.getItem('a')).toBeNull()
})

test('a value that is too large for WeChat lasts as long as the page', () => {
  const stored = createStored(createWxStorage(createWx().wx), 'a')
  const value = 'x'.repeat(2_000_000)
  stored.write(value)
  expect(stored.read()).toBe(value)
})

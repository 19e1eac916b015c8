import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from '@saoma/testing'
import { joinLiveSettings } from '../src/live-settings.ts'

const keyFile = '/somewhere/api-keys'
const shops = {
  SAOMA_API_KEYS: 'shop 00 room:*',
  SAOMA_CHANNELS: '[{"match":"room:table-*"}]',
  SAOMA_HOOK_URL: 'http://127.0.0.1:1/shop/hook',
  SAOMA_HOOK_SECRET: 'the shop’s secret',
}

const file = async (text: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-settings-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const path = join(folder, 'file')
  await writeFile(path, text)
  return path
}

test('without their own settings a person has those of the shop, and a file for more keys', async () => {
  const rules = await file(shops.SAOMA_CHANNELS)
  expect(await joinLiveSettings({}, { ...shops, SAOMA_CHANNELS: rules }, keyFile)).toEqual({
    ...shops,
    SAOMA_CHANNELS: rules,
    SAOMA_API_KEYS: keyFile,
  })
})

test.each([['inline'], ['in files']])(
  'a person’s own keys and rules, %s, come first, and the shop’s stay',
  async (where) => {
    const given = async (text: string) => (where === 'inline' ? text : file(text))
    const joined = await joinLiveSettings(
      { SAOMA_API_KEYS: await given('mine 11 room:*'), SAOMA_CHANNELS: await given('[{"match":"room:mine"}]') },
      { ...shops, SAOMA_CHANNELS: await given(shops.SAOMA_CHANNELS) },
      keyFile,
    )
    expect(joined.SAOMA_API_KEYS?.split('\n')).toEqual(['mine 11 room:*', 'shop 00 room:*'])
    expect(JSON.parse(joined.SAOMA_CHANNELS ?? '')).toEqual([{ match: 'room:mine' }, { match: 'room:table-*' }])
  },
)

test('a person’s own hook replaces the shop’s, with its secret', async () => {
  const own = { SAOMA_HOOK_URL: 'https://mine.example.com/', SAOMA_HOOK_SECRET: 'mine' }
  expect(await joinLiveSettings(own, shops, keyFile)).toEqual({ ...shops, ...own, SAOMA_API_KEYS: keyFile })
})

test('rules that are not a list reach the nodes unchanged, which report the error', async () => {
  expect((await joinLiveSettings({ SAOMA_CHANNELS: '{"match":' }, shops, keyFile)).SAOMA_CHANNELS).toBe('{"match":')
})

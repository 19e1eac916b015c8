import { createHash } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from '@saoma/testing'
import { type ApiKeys, createApiKeys, parseApiKeys } from '../src/access/api-keys.ts'

const LOOK_MS = 20
const keyOf = (name: string, letter = 'x'): string => `saoma_${name}_${letter.repeat(43)}`
const lineOf = (key: string, patterns: string): string =>
  `${key.split('_')[1]} ${createHash('sha256').update(key).digest('hex')} ${patterns}`

const folder = mkdtempSync(join(tmpdir(), 'saoma-keys-'))
onCleanup(() => rmSync(folder, { recursive: true }))

/** As an operator should: a reader sees the old file or the new one. */
const replace = (file: string, text: string): void => {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

interface Watched {
  keys: ApiKeys
  problems: string[]
  changed(): Promise<void>
  complained(): Promise<void>
}

let files = 0
const watch = (text: string, given?: string): Watched & { file: string } => {
  const file = given ?? join(folder, `${++files}`)
  if (!given) writeFileSync(file, text)
  const problems: string[] = []
  let complain = () => {}
  const keys = createApiKeys(
    { text, file },
    {
      lookMs: LOOK_MS,
      onProblem: (found) => {
        problems.push(...found)
        complain()
      },
    },
  )
  onCleanup(() => keys.close())
  return {
    file,
    keys,
    problems,
    changed: () =>
      new Promise((resolve) => {
        const forget = keys.onChange(() => {
          forget()
          resolve()
        })
      }),
    complained: () =>
      new Promise((resolve) => {
        complain = resolve
      }),
  }
}

test('a complete key lets its holder in', () => {
  const key = keyOf('shop')
  const keys = createApiKeys({ text: lineOf(key, 'room:*,user:*') }, { onProblem: () => {} })
  expect(keys.find(key)).toMatchObject({ kind: 'backend', name: 'shop', channels: ['room:*', 'user:*'] })
  for (const wrong of [keyOf('shop', 'y'), keyOf('other'), key.slice(0, -1), `${key}x`, 'saoma_shop_', '', 'shop'])
    expect([wrong, keys.find(wrong)]).toEqual([wrong, undefined])
})

test('the list of keys may be one line or several, and may hold comments', () => {
  const [a, b] = [lineOf(keyOf('a'), 'room:a-*'), lineOf(keyOf('b'), 'user:1')]
  const names = (text: string) => [...parseApiKeys(text).entries.keys()]
  expect(names(`# of the shop\n${a}  # made in May\r\n\n  ${b}\n`)).toEqual(['a', 'b'])
  expect(names(`${a};${b}`)).toEqual(['a', 'b'])
  expect(names('')).toEqual([])
})

test('every problem names its line and shows none of its content', () => {
  const key = keyOf('shop')
  const { problems } = parseApiKeys(
    [
      lineOf(key, 'room:*'),
      `shop2 ${key} room:*`,
      lineOf(key, 'room:*'),
      lineOf(keyOf('c'), 'room:a*b'),
      lineOf(keyOf('d'), 'lobby'),
      lineOf(keyOf('e'), 'room:a room:b'),
      lineOf(keyOf('f'), ''),
      'a/b',
    ].join('\n'),
  )
  expect(problems).toEqual([
    'line 2: the second word must be the SHA-256 of the key in hex',
    'line 3: the name shop is taken; a second key needs a name of its own',
    ...[4, 5].map((n) => `line ${n}: the third word must list patterns such as room:*,user:*`),
    expect.stringMatching(/^line 6: the fourth word must list scopes such as /),
    'line 7: the third word must list patterns such as room:*,user:*',
    'line 8: the name must be 1 to 32 of A-Z, a-z, 0-9 and -',
  ])
  expect(problems.join()).not.toContain(key)
})

test('a key is replaced without a restart; both keys work until the old one is removed', async () => {
  const [old, young] = [keyOf('shop-1'), keyOf('shop-2')]
  const { keys, file, changed } = watch(lineOf(old, 'room:*'))
  const before = keys.find(old)

  replace(file, `${lineOf(old, 'room:*')}\n${lineOf(young, 'room:*')}\n`)
  await changed()
  expect(keys.find(young)).toBeDefined()
  // Whoever came with a key that has not changed stays the same one.
  expect(keys.find(old)).toBe(before)
  expect(before && keys.isKnown(before)).toBe(true)

  replace(file, lineOf(young, 'room:*'))
  await changed()
  expect(keys.find(old)).toBeUndefined()
  expect(before && keys.isKnown(before)).toBe(false)
})

test.each([
  ['another secret under the same name', lineOf(keyOf('shop', 'y'), 'room:*')],
  ['other channels', lineOf(keyOf('shop'), 'room:read-*')],
  ['no keys at all', '# closed for today'],
])('the holder of a key is no longer known after %s', async (_, line) => {
  const { keys, file, changed } = watch(lineOf(keyOf('shop'), 'room:*'))
  const before = keys.find(keyOf('shop'))
  expect(before && keys.isKnown(before)).toBe(true)
  replace(file, line)
  await changed()
  expect(before && keys.isKnown(before)).toBe(false)
})

// As Kubernetes swaps it.
test('a key file behind symbolic links is read again when a link is swapped', async () => {
  for (const version of ['v1', 'v2']) writeFileSync(join(folder, version), lineOf(keyOf(version), 'room:*'))
  const data = join(folder, '..data')
  const file = join(folder, 'keys')
  symlinkSync('v1', data)
  symlinkSync('..data', file)
  const { keys, changed } = watch(lineOf(keyOf('v1'), 'room:*'), file)
  symlinkSync('v2', `${data}-new`)
  renameSync(`${data}-new`, data)
  await changed()
  expect(keys.find(keyOf('v1'))).toBeUndefined()
  expect(keys.find(keyOf('v2'))).toBeDefined()
})

test('an unusable file leaves the keys as they are and is reported once per change', async () => {
  const good = keyOf('shop')
  const { keys, file, problems, complained, changed } = watch(lineOf(good, 'room:*'))

  let told = complained()
  replace(file, 'shop\n')
  await told
  expect(problems).toEqual(['line 1: the second word must be the SHA-256 of the key in hex'])
  expect(keys.find(good)).toBeDefined()

  // Each of these has its first look a whole interval after it was made: the watch above has looked in that
  // time.
  for (let i = 0; i < 3; i++) {
    const another = watch('', file)
    await another.complained()
    another.keys.close()
  }
  expect(problems).toHaveLength(1)

  told = complained()
  rmSync(file)
  await told
  expect(problems.slice(1)).toEqual(['it cannot be read (ENOENT)'])
  expect(keys.find(good)).toBeDefined()

  replace(file, lineOf(keyOf('new'), 'room:*'))
  await changed()
  expect(keys.find(good)).toBeUndefined()
  expect(problems).toHaveLength(2)
})

test('a fourth word lists scopes, and takes the place of the usual one', () => {
  const key = keyOf('ops')
  const read = (words: string) => parseApiKeys(lineOf(key, words))
  expect(read('user:*').entries.get('ops')?.backend.scopes).toEqual(['sessions:end'])
  expect(read('user:* audit:read,accounts:read').entries.get('ops')?.backend.scopes).toEqual([
    'audit:read',
    'accounts:read',
  ])
  for (const words of ['user:* audit', 'user:* audit:read,', 'user:* audit:read more'])
    expect(read(words).problems).toEqual([
      expect.stringMatching(/^line 1: the fourth word must list scopes such as audit:read,accounts:read; there are /),
    ])
})

import { chmod, lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { connectLive, publish, startGateway, startProcess, startRedis, until } from '@saoma/testing'
import { withoutName } from '../src/bin/key-lines.ts'
import { fileOf, holderOf, key, keyIn, lineOf, namesIn, newFolder } from './run-key.ts'

test('create adds a line that lets the key in, to a file for its owner alone', async () => {
  const file = await fileOf()
  const { code, said } = await key(['create', 'shop', 'room:*,user:*', '--file', file])
  expect([code, said]).toEqual([
    0,
    [
      'For the backend, shown once:',
      expect.stringMatching(/^ {2}saoma_shop_/),
      `Added to ${file}. Nodes that have this file take the key within 2 seconds.`,
      `The file is new. It belongs to ${userInfo().username}, who alone may read it. If nodes run as another user, run: chown USER ${file}`,
    ],
  ])
  expect((await key(['create', 'second', 'room:*', '--file', file])).said).toHaveLength(3)
  const text = await readFile(file, 'utf8')
  expect(holderOf(text, keyIn(said))).toMatchObject({ name: 'shop', channels: ['room:*', 'user:*'] })
  expect(text).not.toContain(keyIn(said))
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('of ten creates at once none is lost', async () => {
  const file = await fileOf('# ours\n')
  const names = Array.from({ length: 10 }, (_, i) => `shop-${i}`)
  const made = await Promise.all(names.map((name) => key(['create', name, 'room:*', '--file', file])))
  expect(made.map(({ code }) => code)).toEqual(names.map(() => 0))
  const text = await readFile(file, 'utf8')
  expect(namesIn(text).sort()).toEqual(names)
  expect(made.map(({ said }) => holderOf(text, keyIn(said))?.name)).toEqual(names)
  expect(text).toMatch(/^# ours\n/)
})

test('of creates of one name at once exactly one is done', async () => {
  const file = await fileOf()
  const made = await Promise.all([1, 2, 3].map(() => key(['create', 'shop', 'room:*', '--file', file])))
  expect(made.map(({ code }) => code).sort()).toEqual([0, 1, 1])
  const [refused] = made.filter(({ code }) => code === 1)
  expect(refused?.said).toEqual([`${file} has a key shop already. Take another name, or revoke that one first.`])
})

test('the file is the one that SAOMA_API_KEYS names, in the environment, in a file, or in that of a local cluster', async () => {
  const folder = await newFolder()
  const [inEnvironment, inFile, ofCluster] = [await fileOf(), await fileOf(), await fileOf()]
  await writeFile(join(folder, 'one.env'), `SAOMA_API_KEYS=${inFile}\n`)
  const local = await newFolder()
  await startProcess({ name: 'mkdir', command: 'mkdir', args: [join(local, '.saoma')] }).then(({ exited }) => exited)
  await writeFile(join(local, '.saoma/cluster.env'), `SAOMA_API_KEYS='${ofCluster}'\n`)

  const create = ['create', 'shop', 'room:*']
  await key([...create, '--env-file', join(folder, 'one.env')], { env: { SAOMA_API_KEYS: inEnvironment } })
  expect(namesIn(await readFile(inEnvironment, 'utf8'))).toEqual(['shop'])
  await key([...create, '--env-file', join(folder, 'one.env')], { cwd: local })
  expect(namesIn(await readFile(inFile, 'utf8'))).toEqual(['shop'])
  await key(create, { cwd: local })
  expect(namesIn(await readFile(ofCluster, 'utf8'))).toEqual(['shop'])
  const none = join(folder, 'none.env')
  expect(await key([...create, '--env-file', none])).toEqual({
    code: 2,
    said: [`The file of settings ${none} cannot be read (ENOENT).`],
  })
})

test('without a file the line is printed', async () => {
  const { code, said } = await key(['create', 'shop', 'room:*'])
  expect(code).toBe(0)
  expect(said.slice(2, 3)).toEqual(['For SAOMA_API_KEYS, or a line of the file it names:'])
  expect(holderOf(said[3] ?? '', keyIn(said))).toMatchObject({ name: 'shop' })
  const json = await key(['create', 'shop', 'room:*', '--json'], { env: { SAOMA_API_KEYS: lineOf('other') } })
  const printed = JSON.parse(json.said.join('\n'))
  expect(printed).toEqual({ name: 'shop', key: expect.any(String), channels: ['room:*'], line: expect.any(String) })
  expect(holderOf(printed.line, printed.key)).toMatchObject({ name: 'shop' })
  const taken = await key(['create', 'other', 'room:*'], { env: { SAOMA_API_KEYS: lineOf('other') } })
  expect([taken.code, keyIn(taken.said)]).toEqual([1, ''])
})

test.each([
  [[], 'Say what is to be done.'],
  [['make'], 'There is no command "make".'],
  [['create', 'shop'], 'create needs a name and patterns.'],
  [
    ['create', 'shop', 'room:a', 'room:b'],
    'create needs a name and patterns, but there is also "room:b". Quote the patterns.',
  ],
  [['create', 'my shop', 'room:*'], 'The name must be 1 to 32 of A-Z, a-z, 0-9 and -.'],
  [['create', '#shop', 'room:*'], 'The name must be 1 to 32 of A-Z, a-z, 0-9 and -.'],
  [['create', 'shop\nme', 'room:*'], 'The name must be 1 to 32 of A-Z, a-z, 0-9 and -.'],
  [['create', 'shop', 'lobby'], 'The second word must list patterns such as room:*,user:*.'],
  [['create', 'shop', 'room:*;user:*'], 'The second word must list patterns such as room:*,user:*.'],
  [['revoke'], 'revoke needs one name. saoma key list shows the names.'],
  [['revoke', 'shop', '--json'], 'revoke has no option --json.'],
  [['list', 'shop'], 'list needs no more words, but there is "shop".'],
  [['list', '--fiel', 'x'], expect.stringContaining("Unknown option '--fiel'")],
])('%j is wrong usage', async (args, sentence) => {
  const { code, said } = await key(args)
  expect([code, said[0]]).toEqual([2, sentence])
  expect(said).toContain('Usage: saoma key <command> [options]')
})

test('a file that nodes would not take gets no key, and the lines at fault are named', async () => {
  const text = `${lineOf('a')}\nb\n`
  const file = await fileOf(text)
  expect(await key(['create', 'shop', 'room:*', '--file', file])).toEqual({
    code: 1,
    said: [
      `Nodes would not take the new key, because ${file} has problems:`,
      '  line 2: the second word must be the SHA-256 of the key in hex',
    ],
  })
  expect(await readFile(file, 'utf8')).toBe(text)
})

test('list shows names, channels and the beginning of each hash, and what is wrong with the file', async () => {
  const file = await fileOf(`# ours\n${lineOf('a')}\nlonger-name ${'12345678'.repeat(8)} user:*,room:b\n`)
  expect(await key(['list', '--file', file])).toEqual({
    code: 0,
    said: ['NAME         SHA-256   CHANNELS', 'a            00000000  room:*', 'longer-name  12345678  user:*,room:b'],
  })
  const json = await key(['list', '--file', file, '--json'])
  expect(JSON.parse(json.said.join('\n'))).toEqual({
    file,
    keys: [
      { name: 'a', channels: ['room:*'], sha256: '00000000' },
      { name: 'longer-name', channels: ['user:*', 'room:b'], sha256: '12345678' },
    ],
    problems: [],
  })
  await writeFile(file, `${lineOf('a')}\nx\n`)
  const broken = await key(['list', '--file', file])
  expect([broken.code, broken.said.at(-1)]).toEqual([
    1,
    '  line 2: the second word must be the SHA-256 of the key in hex',
  ])
  const none = await fileOf()
  expect(await key(['list', '--file', none])).toEqual({ code: 0, said: [`${none} has no keys.`] })
})

test('revoke takes one line away and keeps mode, comments and the other lines', async () => {
  const file = await fileOf(`# ours\n${lineOf('a')}  # old\r\n\n${lineOf('b')} # new`)
  await chmod(file, 0o640)
  const { code, said } = await key(['revoke', 'a', '--file', file])
  expect([code, said]).toEqual([
    0,
    [`Removed from ${file}. Nodes that have this file notice within 2 seconds, and end the connections of the key.`],
  ])
  expect(await readFile(file, 'utf8')).toBe(`# ours\n\n${lineOf('b')} # new`)
  expect((await stat(file)).mode & 0o777).toBe(0o640)
  await key(['create', 'c', 'room:*', '--file', file])
  expect((await readFile(file, 'utf8')).split('\n').slice(2)).toEqual([
    `${lineOf('b')} # new`,
    expect.stringMatching(/^c /),
    '',
  ])
  expect(await key(['revoke', 'a', '--file', file])).toEqual({ code: 1, said: [`${file} has no key a.`] })
})

test('revoke says when the key stays good', async () => {
  const broken = await fileOf(`${lineOf('a')}\nx\n`)
  const { code, said } = await key(['revoke', 'a', '--file', broken])
  expect([code, said[0]]).toEqual([
    1,
    `The key a was removed from ${broken}, but is still good: nodes do not take the file.`,
  ])
  expect(await readFile(broken, 'utf8')).toBe('x\n')
  expect(await key(['revoke', 'a'], { env: { SAOMA_API_KEYS: lineOf('a') } })).toEqual({
    code: 1,
    said: ['The key a is in the setting SAOMA_API_KEYS itself. Take it out there, and restart the nodes.'],
  })
})

test.each([
  ['a;b\nc', 'b', 'a;c'],
  ['a;b;c', 'a', 'b;c'],
  ['a\nb', 'b', 'a\n'],
  ['a # b', 'b', undefined],
  ['# a', 'a', undefined],
  ['a', '', undefined],
])('of %j without %j %j is left', (text, name, left) => {
  expect(withoutName(text, name)).toBe(left)
})

test('a link to the file stays a link', async () => {
  const file = await fileOf('')
  await symlink(file, `${file}.link`)
  expect((await key(['create', 'shop', 'room:*', '--file', `${file}.link`])).code).toBe(0)
  expect((await lstat(`${file}.link`)).isSymbolicLink()).toBe(true)
  expect(namesIn(await readFile(file, 'utf8'))).toEqual(['shop'])
})

test('a link whose file is not there yet stays a link too', async () => {
  const file = await fileOf()
  await symlink('api-keys', `${file}.one`)
  await symlink(`${file}.one`, `${file}.two`)
  expect((await key(['create', 'shop', 'room:*', '--file', `${file}.two`])).code).toBe(0)
  for (const link of ['one', 'two']) expect((await lstat(`${file}.${link}`)).isSymbolicLink()).toBe(true)
  expect(namesIn(await readFile(file, 'utf8'))).toEqual(['shop'])

  await symlink(`${file}.round`, `${file}.round`)
  const round = await key(['create', 'shop', 'room:*', '--file', `${file}.round`])
  expect(round).toEqual({ code: 1, said: [`${file}.round is a link that leads to itself.`] })
})

test('what a killed command left is named after a while, and a missing folder at once', async () => {
  const file = await fileOf('')
  await writeFile(`${file}.lock`, '')
  const { code, said } = await key(['create', 'shop', 'room:*', '--file', file])
  expect([code, said]).toEqual([
    1,
    [`${file}.lock is there: another command changes the keys, or one was killed. If none runs, remove that file.`],
  ])
  expect(await key(['create', 'shop', 'room:*', '--file', `${file}.d/x`])).toEqual({
    code: 1,
    said: [`The folder of ${file}.d/x does not exist.`],
  })
})

test('a running node takes a new key, and drops a revoked one with its connections', async () => {
  const file = await fileOf('')
  const redis = await startRedis()
  const node = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: { SAOMA_API_KEYS: file },
  })
  const { said } = await key(['create', 'shop', 'room:*', '--file', file])
  const secret = keyIn(said)
  const status = async () => (await publish(node.origin, { channel: 'room:x', event: 'e', data: 1 }, secret)).status
  await until(status, (found) => found === 200)

  const backend = connectLive(node.origin, { token: secret })
  await backend.next('connect')
  expect((await key(['revoke', 'shop', '--file', file])).code).toBe(0)
  await until(status, (found) => found === 401)
  expect(await backend.next('disconnect')).toBe('io server disconnect')
})

import { parseRedisUrl } from '../src/index.ts'

const host = (host: string, port: number) => ({ host, port })

test.each([
  ['redis://localhost', { kind: 'standalone', tls: false, hosts: [host('localhost', 6379)], path: [] }],
  ['redis://127.0.0.1:7000/3', { kind: 'standalone', tls: false, hosts: [host('127.0.0.1', 7000)], path: ['3'] }],
  ['rediss://redis.example:6380', { kind: 'standalone', tls: true, hosts: [host('redis.example', 6380)], path: [] }],
  ['redis://[::1]:7000/', { kind: 'standalone', tls: false, hosts: [host('::1', 7000)], path: [] }],
  [
    'redis://me:p%40ss%2Fword@localhost',
    {
      kind: 'standalone',
      tls: false,
      hosts: [host('localhost', 6379)],
      path: [],
      username: 'me',
      password: 'p@ss/word',
    },
  ],
  [
    'redis://:secret@localhost',
    { kind: 'standalone', tls: false, hosts: [host('localhost', 6379)], path: [], password: 'secret' },
  ],
  [
    'redis+sentinel://a:26379,b:26380,[fd00::1]/login/2',
    {
      kind: 'sentinel',
      tls: false,
      hosts: [host('a', 26379), host('b', 26380), host('fd00::1', 6379)],
      path: ['login', '2'],
    },
  ],
  [
    'rediss+cluster://:secret@a:7000,b:7001',
    { kind: 'cluster', tls: true, hosts: [host('a', 7000), host('b', 7001)], path: [], password: 'secret' },
  ],
])('%s is read', (url, address) => {
  expect(parseRedisUrl(url)).toEqual(address)
})

test.each([
  ['', 'not of the form'],
  ['localhost:6379', 'not of the form'],
  ['http://localhost', 'not of the form'],
  ['redis+other://localhost', 'not of the form'],
  ['redis://', 'not of the form'],
  ['redis://me:p@ss@localhost', 'not of the form'],
  ['redis://localhost:port', 'host that cannot be read: localhost:port'],
  ['redis://localhost:65536', 'host that cannot be read: localhost:65536'],
  ['redis://localhost:6379?db=1', 'host that cannot be read'],
  ['redis+cluster://a:7000,', 'host that cannot be read'],
  ['redis://a:7000,b:7001', 'write redis+sentinel:// or redis+cluster://'],
  ['redis://localhost/login', 'database that is not a number: login'],
  ['redis+sentinel://localhost/login/x', 'database that is not a number: x'],
  ['redis+cluster://localhost/1', 'end it after the hosts'],
  ['redis://me:100%@localhost', 'write it as %25'],
])('%s is refused with a sentence for the operator', (url, sentence) => {
  expect(() => parseRedisUrl(url)).toThrow(TypeError)
  expect(() => parseRedisUrl(url)).toThrow(sentence)
})

test('what is refused does not show a password', () => {
  for (const url of ['redis://me:sesame@a,b', 'redis://me:sesame@a:x', 'redis://me:ses@me@a', 'redis://me:ses%ame@a'])
    expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('ses') }))
})

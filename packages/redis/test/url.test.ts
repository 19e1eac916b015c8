import { parseRedisUrl } from '../src/index.ts'

const host = (host: string, port: number) => ({ host, port })

test.each([
  ['redis://localhost', { kind: 'standalone', tls: false, hosts: [host('localhost', 6379)], db: 0 }],
  ['redis://127.0.0.1:7000/3', { kind: 'standalone', tls: false, hosts: [host('127.0.0.1', 7000)], db: 3 }],
  ['rediss://redis.example:6380', { kind: 'standalone', tls: true, hosts: [host('redis.example', 6380)], db: 0 }],
  ['redis://[::1]:7000/', { kind: 'standalone', tls: false, hosts: [host('::1', 7000)], db: 0 }],
  [
    'redis://me:p%40ss%2Fword@localhost',
    {
      kind: 'standalone',
      tls: false,
      hosts: [host('localhost', 6379)],
      db: 0,
      username: 'me',
      password: 'p@ss/word',
    },
  ],
  [
    'redis://me@localhost',
    { kind: 'standalone', tls: false, hosts: [host('localhost', 6379)], db: 0, username: 'me', password: '' },
  ],
  [
    'redis://:secret@localhost',
    { kind: 'standalone', tls: false, hosts: [host('localhost', 6379)], db: 0, password: 'secret' },
  ],
  [
    'redis+sentinel://a:26379,b:26380,[fd00::1]/login/2',
    {
      kind: 'sentinel',
      tls: false,
      hosts: [host('a', 26379), host('b', 26380), host('fd00::1', 26379)],
      master: 'login',
      db: 2,
      sentinel: {},
    },
  ],
  [
    'rediss+sentinel://me:secret@a',
    {
      kind: 'sentinel',
      tls: true,
      hosts: [host('a', 26379)],
      master: 'mymaster',
      db: 0,
      username: 'me',
      password: 'secret',
      sentinel: { password: 'secret' },
    },
  ],
  [
    'redis+sentinel://me:secret@a/m?sentinel_username=watcher&sentinel_password=p%26w',
    {
      kind: 'sentinel',
      tls: false,
      hosts: [host('a', 26379)],
      master: 'm',
      db: 0,
      username: 'me',
      password: 'secret',
      sentinel: { username: 'watcher', password: 'p&w' },
    },
  ],
  [
    'redis+sentinel://:secret@a/m?sentinel_password=',
    {
      kind: 'sentinel',
      tls: false,
      hosts: [host('a', 26379)],
      master: 'm',
      db: 0,
      password: 'secret',
      sentinel: {},
    },
  ],
  [
    'rediss+cluster://:secret@a:7000,b:7001',
    { kind: 'cluster', tls: true, hosts: [host('a', 7000), host('b', 7001)], db: 0, password: 'secret' },
  ],
])('%s is read', (url, address) => {
  expect(parseRedisUrl(url)).toEqual(address)
})

test.each([
  ['', 'must be of the form'],
  ['localhost:6379', 'must be of the form'],
  ['http://localhost', 'must be of the form'],
  ['redis+other://localhost', 'must be of the form'],
  ['redis://', 'must be of the form'],
  ['redis://me:p@ss@localhost', 'must be of the form'],
  ['redis://me:p/ss@localhost', 'write it as %2F'],
  ['redis://me:p?ss@localhost', 'write it as %2F'],
  ['redis://me:p#ss@localhost', 'write it as %2F'],
  ['redis://localhost#x', 'must be of the form'],
  ['redis://localhost:port', 'host that cannot be read: localhost:port'],
  ['redis://localhost:65536', 'host that cannot be read: localhost:65536'],
  ['redis://localhost:6379?db=1', 'a parameter that is not understood: db'],
  ['redis://localhost?sentinel_password=x', 'a parameter that is not understood: sentinel_password'],
  ['rediss+cluster://localhost?tls_verify=no', 'a parameter that is not understood: tls_verify'],
  ['redis+sentinel://a/m?sentinel_pasword=x', 'a parameter that is not understood: sentinel_pasword'],
  ['redis+sentinel://a/m?sentinel_password=x&sentinel_password=y', 'each once'],
  ['redis://localhost/1/2', 'goes on after the database: /2'],
  ['redis+sentinel://a/m/1/2', 'goes on after the database: /2'],
  ['redis://[localhost]', 'host that cannot be read: [localhost]'],
  ['redis://::1', 'host that cannot be read: ::1'],
  ['redis://localhost:0', 'host that cannot be read: localhost:0'],
  ['redis+cluster://a:7000,', 'host that cannot be read'],
  ['redis://a:7000,b:7001', 'write redis+sentinel:// or redis+cluster://'],
  ['redis://localhost/login', 'database that is not a number: login'],
  ['redis+sentinel://localhost/login/x', 'database that is not a number: x'],
  ['redis+cluster://localhost/1', 'end it after the hosts'],
  ['redis://me:100%@localhost', 'write it as %25'],
])('%s is refused with a message for the operator', (url, sentence) => {
  expect(() => parseRedisUrl(url)).toThrow(TypeError)
  expect(() => parseRedisUrl(url)).toThrow(sentence)
})

test('a refusal does not show a password', () => {
  for (const url of [
    'redis://me:sesame@a,b',
    'redis://me:sesame@a:x',
    'redis://me:ses@me@a',
    'redis://me:ses%ame@a',
    'redis://me:ses/ame@a',
    'redis://me:ses?ame@a',
    'redis://a?x=ses',
    'redis://me:ses#ame@a:x',
  ])
    expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('ses') }))
})

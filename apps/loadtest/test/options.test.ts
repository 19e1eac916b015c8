import { type Options, readOptions } from '../src/load/options.ts'

const read = (...args: string[]): Options => {
  const options = readOptions(args, {})
  if (options === 'help') throw new Error('that was a question')
  return options
}

test('chaos is every scenario with every fault of its Redis and the conditions to meet', () => {
  const { scenarios, faults, shuffles, redis, expectations } = read('chaos')
  expect(scenarios).toEqual(['idle', 'login', 'inbox', 'fanout'])
  expect(faults).toEqual(['kill', 'drain', 'reload', 'subscriber', 'redis', 'freeze', 'noreplicas', 'oom'])
  expect({ shuffles, redis }).toEqual({ shuffles: true, redis: 'standalone' })
  expect(expectations.map(({ text }) => text)).toEqual([
    ...['lost==0', 'wrong==0', 'duplicated==0', 'disordered==0'],
    'recovery.never==0',
  ])
  expect(read('chaos', '--redis', 'cluster').faults).toEqual([...faults, 'slots', 'failover'])
})

test('named faults come in that order, drawn by the given seed', () => {
  expect(read('chaos', '--faults', 'oom,kill', '--seed', '7')).toMatchObject({
    faults: ['oom', 'kill'],
    shuffles: false,
    seed: 7,
  })
  expect(read('chaos').seed).not.toBe(read('chaos').seed)
})

test('scenarios can be combined, each once', () => {
  expect(read('login', 'idle', 'login').scenarios).toEqual(['login', 'idle'])
})

test.each([
  [[], /name a scenario/],
  [['logins'], /no scenario "logins", only login, idle/],
  [['login', '--fast'], /Unknown option '--fast'/],
  [['login', '--logins', 'many'], /--logins takes a number of times a second/],
  [['login', '--duration', '30'], /--duration takes a time.*not "30"/],
  [['idle', '--browsers', '1.5'], /--browsers takes whole numbers/],
  [['idle', '--url', 'login.example.com'], /--url takes an address/],
  [['inbox', '--url', 'https://login.example.com'], /give --api-key/],
  [['chaos', '--url', 'https://login.example.com'], /without --url/],
  [['chaos', '--nodes', '1'], /--nodes takes whole numbers from 2/],
  [['chaos', '--faults', 'flood'], /a standalone Redis has no fault "flood", only kill, drain/],
  [['chaos', '--faults', 'slots'], /a standalone Redis has no fault "slots"/],
  [['chaos', '--redis', 'sentinel'], /--redis takes standalone or cluster, not "sentinel"/],
  [['chaos', '--seed', 'monday'], /--seed takes whole numbers/],
  [['idle', '--url', 'https://login.example.com', '--redis', 'cluster'], /--redis is for a cluster of its own/],
  [['login', '--machines', '2'], /several machines need --coordinator, --run and --url/],
  [['login', '--coordinator', 'redis://here'], /--coordinator goes with --run/],
  [['login', '--env', 'lower=1'], /--env takes NAME=VALUE/],
  [['login', '--phone-token-file', '/no/such/file'], /--phone-token-file: .*ENOENT/],
])('%j is refused in one sentence', (args, sentence) => {
  expect(() => readOptions(args, {})).toThrow(sentence)
})

import { networkOf, proximityOf } from '../src/access/networks.ts'

test('one IPv4 address is a network, in whatever form, and so is an IPv6 /64', () => {
  expect(networkOf('::ffff:203.0.113.7')).toBe('203.0.113.7')
  expect(networkOf('::ffff:cb00:7107')).toBe('203.0.113.7')
  expect(networkOf('2001:db8:1:2::a')).toBe(networkOf('2001:DB8:1:2:ffff::b'))
  expect(networkOf('2001:db8:1:2::a')).not.toBe(networkOf('2001:db8:1:3::a'))
})

test('what is no address is nobody’s neighbour', () => {
  for (const text of ['', 'unknown', '1', '0x7f.1', '203.0.113', 'fe80', 'a, b']) expect(proximityOf(text)).toBe('')
  expect(proximityOf('203.0.113.7')).toBe('203.0.113.7')
  expect(proximityOf('::1')).toBe('0:0:0:0')
})

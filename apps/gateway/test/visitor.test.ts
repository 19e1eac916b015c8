import type { IncomingMessage } from 'node:http'
import { createOrigins } from '../src/config/origins.ts'
import { createAddressReader, describeUserAgent } from '../src/transport/client-address.ts'
import { warnOfStrangers } from '../src/transport/strangers.ts'

const from = (remoteAddress: string, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    connection: { remoteAddress },
    headers: forwarded ? { 'x-forwarded-for': forwarded } : {},
  }) as unknown as IncomingMessage

describe('the address of a visitor', () => {
  const addressOf = createAddressReader(['127.0.0.0/8'])

  test('the address is what the trusted proxy saw', () => {
    expect(addressOf(from('127.0.0.1', '203.0.113.9'))).toBe('203.0.113.9')
  })
  test('the address is the peer itself, unless the peer is a trusted proxy', () => {
    expect(addressOf(from('198.51.100.7', '203.0.113.9'))).toBe('198.51.100.7')
  })
  test('the address is the last untrusted one, so a forged list does not reach further', () => {
    expect(addressOf(from('127.0.0.1', '10.1.1.1, 203.0.113.9'))).toBe('203.0.113.9')
  })
  test('the address is IPv4 even when it came over an IPv6 socket', () => {
    expect(addressOf(from('::ffff:198.51.100.7'))).toBe('198.51.100.7')
  })
})

describe('a proxy that nobody trusts', () => {
  const told = () => {
    const lines: unknown[] = []
    const addressOf = createAddressReader(
      ['127.0.0.0/8'],
      warnOfStrangers({ warn: (line: object) => lines.push(line) }),
    )
    const visit = (peer: string, headers: Record<string, string>) =>
      addressOf({
        socket: { remoteAddress: peer },
        connection: { remoteAddress: peer },
        headers,
      } as unknown as IncomingMessage)
    return { lines, visit }
  }

  test('it is reported once, with its address and the setting', () => {
    const { lines, visit } = told()
    for (let i = 0; i < 3; i++) visit('127.0.0.1', { 'x-saoma-untrusted': '10.0.0.5', 'x-forwarded-for': '10.0.0.5' })
    for (let i = 0; i < 3; i++) visit('::ffff:10.0.0.6', { 'x-forwarded-for': '203.0.113.9' })
    expect(lines).toEqual([
      { event: 'proxy', address: '10.0.0.5', setting: 'NGINX_TRUST' },
      { event: 'proxy', address: '10.0.0.6', setting: 'SAOMA_TRUSTED_PROXIES' },
    ])
  })
  test('it is reported with a public address when it does so often, not by its own word', () => {
    const { lines, visit } = told()
    for (let i = 0; i < 99; i++) visit('127.0.0.1', { 'x-saoma-untrusted': '203.0.113.9' })
    visit('198.51.100.7', { 'x-saoma-untrusted': '10.0.0.7' })
    expect(lines).toEqual([])
    for (let i = 0; i < 10; i++) visit('127.0.0.1', { 'x-saoma-untrusted': '203.0.113.9' })
    expect(lines).toEqual([{ event: 'proxy', address: '203.0.113.9', setting: 'NGINX_TRUST' }])
  })
  test('only a few of them are remembered', () => {
    const { lines, visit } = told()
    for (let i = 0; i < 1_000; i++) visit('127.0.0.1', { 'x-saoma-untrusted': `10.0.${i >> 8}.${i & 255}` })
    expect(lines).toHaveLength(64)
  })
})

describe('an origin', () => {
  const production = createOrigins({
    origin: 'https://login.example.com',
    allowedOrigins: ['https://shop.example.com'],
    demo: false,
  })
  const local = createOrigins({ origin: 'http://127.0.0.1:8080', allowedOrigins: [], demo: true })

  test.each([
    ['https://login.example.com', true],
    ['https://shop.example.com', true],
    ['https://login.example.com.evil.example', false],
    ['http://login.example.com', false],
    ['null', false],
    ['', false],
  ])('%s is allowed: %s', (origin, allowed) => expect(production.allows(origin)).toBe(allowed))

  test('this machine may use another name in demo mode, on the same port only', () => {
    expect(local.allows('http://localhost:8080')).toBe(true)
    expect(local.allows('http://localhost:8081')).toBe(false)
    const served = createOrigins({ origin: 'http://127.0.0.1:8080', allowedOrigins: [], demo: false })
    expect(served.allows('http://localhost:8080')).toBe(false)
  })

  const own = { origin: 'https://login.example.com', allowedOrigins: [], demo: false }
  test.each([
    ['https://servicewechat.com', true],
    ['weapp://wechat-game-runtime', true],
    ['https://login.example.com,undefined', true],
    ['https://login.example.com, undefined', true],
    ['https://servicewechat.com.evil.example', false],
    ['https://evil.servicewechat.com', false],
    ['http://servicewechat.com', false],
    ['https://evil.example/,undefined', false],
    ['https://evil.example', false],
    ['undefined', false],
    ['null', false],
  ])('%s is a mini-program’s where WeChat is configured: %s', (origin, is) => {
    expect(createOrigins({ ...own, wechat: {} }).admits({ origin })).toBe(is)
    expect(createOrigins({ ...own, demo: true }).admits({ origin })).toBe(is)
    expect(createOrigins(own).admits({ origin })).toBe(false)
    expect(createOrigins({ ...own, wechat: {} }).admits({ origin, cookie: 'a=b' })).toBe(false)
    expect(createOrigins({ ...own, wechat: {} }).allows(origin)).toBe(false)
  })
})

test('a user agent becomes two short words, and a hostile one does no harm', () => {
  const chrome =
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'
  // The second time it is remembered.
  for (let i = 0; i < 2; i++) expect(describeUserAgent(chrome)).toEqual({ browser: 'Chrome 126', os: 'Windows 10' })
  expect(describeUserAgent(undefined)).toEqual({ browser: '', os: '' })
  expect(describeUserAgent('Verified by your IT department, press Confirm/1 (x)')).toEqual({ browser: '', os: '' })
  const hostile = describeUserAgent(`<script>alert(1)</script>${'('.repeat(100_000)}`)
  expect(`${hostile.browser}${hostile.os}`.length).toBeLessThan(100)
})

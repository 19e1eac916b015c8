import { createAuthority, startRedis } from '@saoma/testing'
import { judgeCertificate } from '../src/doctor/certificates.ts'
import { diagnoseBy } from './diagnosis.ts'

test('a certificate by its days', () => {
  const inDays = (days: number) =>
    judgeCertificate('It', new Date(Date.now() + days * 86_400_000 + 60_000).toUTCString(), 'Renew it.')[0]?.level
  expect([-2, 0, 13, 15, 90].map(inDays)).toEqual(['error', 'warning', 'warning', 'ok', 'ok'])
  expect(judgeCertificate('It', '', 'Renew it.')).toEqual([])
})

test('a certificate that ends soon is a warning', async () => {
  const tls = createAuthority()
  const server = await startRedis({ tls })
  const look = (env: Record<string, string>) => diagnoseBy('redis', { REDIS_URL: server.url, ...env })
  const { of } = await look({ REDIS_CA_FILE: tls.caFile })
  expect(of('redis-certificate')).toEqual([
    expect.stringMatching(
      `^warning: The certificate of Redis at 127.0.0.1:${server.port} is good until \\d{4}-\\d\\d-\\d\\d, for [01] more days\\.$`,
    ),
  ])
  const own = tls.issue(['client'])
  const both = { REDIS_CA_FILE: tls.caFile, REDIS_CERT_FILE: own.certFile, REDIS_KEY_FILE: own.keyFile }
  expect((await look(both)).of('redis-certificate')).toEqual([
    expect.stringMatching(/^warning: The certificate in REDIS_CERT_FILE is good until /),
    expect.stringMatching(/^warning: The certificate of Redis /),
  ])
  expect((await look({})).of('redis-reachable')).toEqual([expect.stringMatching(/^error: Redis at .+ TLS fails/)])
})

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { signDiagnosis } from '../src/access/diagnosis-token.ts'
import { type Config, readConfig } from '../src/config/config.ts'
import { diagnose } from '../src/doctor/diagnose.ts'
import { forwarded } from '../src/doctor/forwarded.ts'
import { judgeVersions, versions } from '../src/doctor/versions.ts'

const SECRET = 'a secret of tests, which nobody keeps'
const FORMER = 'the former secret of tests, nobody keeps'
const signal = new AbortController().signal

interface Impostor {
  origin: string
  /** The proofs that were sent to it. */
  proofs: string[]
}

/** A server that has the form of a Saoma, and answers proofs as the test says. */
const startImpostor = async (
  answer: (res: ServerResponse) => void,
  issuerAt: (origin: string) => string = (origin) => origin,
): Promise<Impostor> => {
  const proofs: string[] = []
  let origin = ''
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('X-Saoma-Node', 'a')
    if (req.url !== '/v1/diagnosis') return res.end(JSON.stringify({ issuer: `${issuerAt(origin)}/oidc` }))
    proofs.push((req.headers.authorization ?? '').replace('Bearer ', ''))
    answer(res)
  }).listen(0, '127.0.0.1')
  onCleanup(() => void server.close())
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, proofs }
}
const refuse =
  (status: number, ahead = 0) =>
  (res: ServerResponse) => {
    res.writeHead(status, { Date: new Date(Date.now() + ahead).toUTCString() }).end()
  }
const configOf = (origin: string): Config =>
  readConfig({ SAOMA_ORIGIN: origin, SAOMA_DEMO: 'true', SAOMA_SECRET: SECRET })
const momentOf = (proof: string | undefined): number => Number(proof?.split('.')[0])

describe('for which moment a proof is made', () => {
  test('one that the clock of the server says, if that is not far', async () => {
    const { origin, proofs } = await startImpostor(refuse(404, 240_000))
    await diagnose(origin, { signal, secrets: [SECRET] })
    const [first, second, ...more] = proofs.map(momentOf)
    expect(Math.abs((second ?? 0) - (first ?? 0) - 240_000)).toBeLessThan(5_000)
    expect(more).toEqual([])
  })

  test.each([-3_600_000, 3_600_000])('never one that is %d ms away, and says why', async (ahead) => {
    const { origin, proofs } = await startImpostor(refuse(404, ahead))
    const told = await diagnose(origin, { signal, secrets: [SECRET, FORMER] })
    expect(told).toMatchObject({ why: expect.stringMatching(/^the clocks are 3(599|600|601) s apart/) })
    expect(proofs).toHaveLength(1)
    expect(Math.abs(momentOf(proofs[0]) - Date.now())).toBeLessThan(30_000)
    const subject = { origin, config: configOf(origin), signal }
    expect(await forwarded.run(subject)).toMatchObject([
      {
        code: 'forwarded',
        level: 'skipped',
        says: expect.stringContaining('clocks are'),
        todo: expect.stringContaining('NTP'),
      },
    ])
  })
})

test('a proof is for the host that is asked', async () => {
  const { origin, proofs } = await startImpostor(refuse(404))
  await diagnose(origin, { signal, secrets: [SECRET] })
  const [proof = ''] = proofs
  expect(proof).toBe(signDiagnosis(SECRET, new URL(origin).host, momentOf(proof)))
  expect(proof).not.toBe(signDiagnosis(SECRET, 'login.example.com', momentOf(proof)))
})

test('none is sent to a Saoma that has another origin', async () => {
  const { origin, proofs } = await startImpostor(refuse(404), () => 'https://login.example.com')
  const subject = { origin, config: configOf(origin), signal }
  const says = expect.stringContaining('has another origin, so no proof of SAOMA_SECRET was sent')
  for (const check of [forwarded, versions])
    expect(await check.run(subject)).toMatchObject([{ level: 'skipped', says }])
  expect(proofs).toEqual([])
})

test('none is sent over plain http, but on this machine', async () => {
  const origin = 'http://login.example.invalid'
  for (const check of [forwarded, versions])
    expect(await check.run({ origin, config: configOf(origin), signal })).toMatchObject([
      { level: 'skipped', says: expect.stringContaining('could read the proof'), todo: expect.stringContaining('TLS') },
    ])
})

test.each([
  [429, 'too many requests (429)'],
  [503, 'is going away, or is without Redis (503)'],
  [418, 'status 418'],
])('an answer %d is not a matter of the secret', async (status, word) => {
  const { origin, proofs } = await startImpostor(refuse(status))
  const subject = { origin, config: { ...configOf(origin), secrets: [SECRET, FORMER] as [string, string] }, signal }
  const [first] = await forwarded.run(subject)
  expect(first).toMatchObject({ level: 'skipped', says: expect.stringContaining(word) })
  expect(first?.todo).not.toContain('SAOMA_SECRET')
  // The other secret would get the same answer.
  expect(proofs).toHaveLength(1)
  const [second] = await versions.run(subject)
  expect(second).toMatchObject({ level: 'skipped', says: expect.stringContaining(`node a: `) })
  expect(second?.says).not.toContain('SAOMA_SECRET')
  expect(second?.says).toContain(word)
})

test('questions without an answer stand beside the nodes that told', () => {
  const node = { node: 'a', version: '1.0.0', clusterVersion: 1 }
  expect(judgeVersions([node], [], ['node b: it is going away (503)'])).toContainEqual(
    expect.objectContaining({ level: 'skipped', says: expect.stringContaining('node b: it is going away (503)') }),
  )
})

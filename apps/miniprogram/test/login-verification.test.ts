import { type Cluster, createTicket, poll, startCluster } from '@saoma/testing'
import { scanned, startPhone } from './phone.ts'

/* A phone where more than a tap is demanded. */

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: { SAOMA_VERIFY: 'network-or-number' } })
})

const askFrom = async (address?: string) => {
  const form = { client_id: 'web', scope: 'openid', verification: 'number' }
  const from = address ? { headers: { 'x-forwarded-for': address } } : {}
  return createTicket(cluster.nodes[0]?.origin ?? '', { form, ...from })
}
const numberOf = async (deviceCode: string) => (await poll(cluster.origin, deviceCode, { wait: 0 })).body.number ?? ''

test('the person types the number, and a wrong one may be mended', async () => {
  const { ticket, device_code } = await askFrom('203.0.113.9')
  const login = startPhone(cluster, 'Ana', { node: 0 }).login(scanned(ticket))
  expect((await login.reaches('asking')).question.verification).toBe('number')
  const number = await numberOf(device_code)
  login.page.confirm('7')
  expect(await login.reaches('asking')).toMatchObject({ error: 'VERIFICATION_REQUIRED' })
  login.page.confirm(number === '99' ? '98' : '99')
  const wrong = await login.when(({ screen }) => screen.status === 'asking' && screen.left !== undefined && screen)
  expect(wrong).toMatchObject({ error: 'VERIFICATION_WRONG', left: 2 })
  // As a Chinese keyboard types it.
  login.page.confirm(number.replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)))
  await login.reaches('confirmed')
})

test('the third wrong number refuses the login', async () => {
  const { ticket, device_code } = await askFrom('203.0.113.9')
  const login = startPhone(cluster, 'Ben', { node: 0 }).login(scanned(ticket))
  await login.reaches('asking')
  const number = Number(await numberOf(device_code))
  for (const left of [2, 1]) {
    login.page.confirm(String(((number - 10 + left) % 90) + 10))
    await login.when(({ screen }) => screen.status === 'asking' && screen.left === left)
  }
  login.page.confirm(String(((number - 10 + 3) % 90) + 10))
  await login.reaches('refused')
})

test('a phone in the network of the browser needs no number', async () => {
  const { ticket } = await askFrom()
  const login = startPhone(cluster, 'Ana', { node: 0 }).login(scanned(ticket))
  expect((await login.reaches('asking')).question.verification).toBe('network')
  login.page.confirm()
  await login.reaches('confirmed')
})

test('where the network is demanded, a phone elsewhere says so and may try again', async () => {
  const form = { client_id: 'web', scope: 'openid' }
  const headers = { 'x-forwarded-for': '203.0.113.9' }
  const { ticket } = await createTicket(cluster.nodes[0]?.origin ?? '', { form, headers })
  const owner = startPhone(cluster, 'Ana', { node: 0 })
  const login = owner.login(scanned(ticket))
  await login.reaches('elsewhere')
  login.page.retry()
  await login.reaches('elsewhere')
  expect(owner.asked()).toEqual([`tickets/${ticket}/scan`, `tickets/${ticket}/scan`])
})

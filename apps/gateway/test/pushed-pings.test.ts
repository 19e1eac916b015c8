import { confirm, createAuthority, freePort, phoneToken, request, scan, until } from '@saoma/testing'
import { decodeJwt } from 'jose'
import { startNotificationReceiver } from './notification-receiver.ts'
import { type Asked, server, startPushedStage } from './pushed-stage.ts'

/*
 * An application that should be told of an answer (CIBA, ping mode) and hangs, is away, leads elsewhere, or
 * whose node dies: SECURITY.md, "Requests sent to a phone". Each call goes to the other node than the one
 * before.
 */

const authority = createAuthority()
const certificate = authority.issue(['127.0.0.1', '127.0.0.2'])
const receiver = await startNotificationReceiver(certificate)
const other = await startNotificationReceiver(certificate)
const hidden = await startNotificationReceiver(certificate, { host: '127.0.0.2' })
const closedPort = await freePort()
const told = (client_id: string, url: string) =>
  server(client_id, { backchannel_client_notification_endpoint: url, verify: 'tap' })
const { cluster, somebody, post, ask, take, agree, expire, isDue } = await startPushedStage(
  [told('bank', receiver.url), told('closed', `https://127.0.0.1:${closedPort}/answered`), told('hidden', hidden.url)],
  { SAOMA_APPLICATION_NETWORKS: '127.0.0.1', NODE_EXTRA_CA_CERTS: authority.caFile },
)

/** How many calls of applications have gone like this. */
const pings = async (result: 'told' | 'again' | 'failed'): Promise<number> => {
  const pages = await Promise.all(
    cluster.nodes.map(({ internalOrigin }) => request<string>(`${internalOrigin}/metrics`).catch(() => undefined)),
  )
  const counter = new RegExp(`^saoma_application_pings_total\\{result="${result}"\\} (\\d+)$`, 'm')
  return pages.reduce((sum, page) => sum + Number(counter.exec(page?.body ?? '')?.[1] ?? 0), 0)
}

describe('an application that should be told', () => {
  beforeEach(() => {
    receiver.answer = (res) => void res.writeHead(204).end()
  })
  const answered = async (client: string) => {
    const { phone, sub } = await somebody()
    const asked = await ask(client, sub)
    expect((await agree(asked, phone)).status).toBe(200)
    return asked
  }

  test('is called again if it hangs, and the person does not wait for it', async () => {
    const before = await pings('told')
    receiver.answer = () => {}
    const asked = await answered('bank')
    expect((await receiver.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
    receiver.answer = (res) => void res.writeHead(202).end()
    expect((await receiver.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
    await until(
      () => pings('told'),
      (count) => count === before + 1,
    )
    await until(
      () => isDue(asked),
      (due) => !due,
    )
  })

  test('is called again while nobody listens there', async () => {
    const before = await pings('again')
    const asked = await answered('closed')
    await until(
      () => pings('again'),
      (count) => count > before,
    )
    const late = await startNotificationReceiver(certificate, { port: closedPort })
    expect((await late.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
  })

  test('is followed to no other place', async () => {
    const before = await pings('failed')
    receiver.answer = (res) => void res.writeHead(307, { location: other.url }).end()
    const asked = await answered('bank')
    await receiver.next()
    await until(
      () => pings('failed'),
      (count) => count === before + 1,
    )
    await until(
      () => isDue(asked),
      (due) => !due,
    )
    expect(other.notifications).toEqual([])
  })

  test('is not called in a private network that is not listed', async () => {
    const before = await pings('failed')
    const asked = await answered('hidden')
    await until(
      () => pings('failed'),
      (count) => count === before + 1,
    )
    await until(
      () => isDue(asked),
      (due) => !due,
    )
    expect(hidden.notifications).toEqual([])
    // It may poll.
    expect((await take('hidden', asked)).status).toBe(200)
  })

  test('is called as long as the answer is good, and no longer', async () => {
    receiver.answer = (res) => void res.writeHead(500).end()
    const [asked, lost] = [await answered('bank'), await answered('bank')]
    const of = ({ auth_req_id }: Asked) => receiver.notifications.filter(({ body }) => body.auth_req_id === auth_req_id)
    await until(
      async () => of(asked).length,
      (count) => count >= 2,
    )
    expect(await isDue(asked)).toBe(true)
    expect((await take('bank', asked)).status).toBe(200)
    await expire(lost)
    for (const each of [asked, lost])
      await until(
        () => isDue(each),
        (due) => !due,
      )
    const calls = receiver.notifications.length
    // A call of another request proves that nodes go on looking.
    receiver.answer = (res) => void res.writeHead(204).end()
    const next = await answered('bank')
    await until(
      async () => of(next).length,
      (count) => count === 1,
    )
    expect(receiver.notifications.length).toBe(calls + 1)
  })

  // These end nodes, so they are last.
  test('is told by another node if the one that took the answer dies while it calls', async () => {
    receiver.answer = () => {}
    const { phone, sub } = await somebody()
    const asked = await ask('bank', sub)
    const [first, second, third] = cluster.nodes
    const origins = [second?.origin ?? '', first?.origin ?? ''] as [string, string]
    const count = receiver.notifications.length
    expect((await agree(asked, phone, origins)).status).toBe(200)
    await until(
      async () => receiver.notifications.length,
      (calls) => calls > count,
    )
    await first?.kill()
    receiver.answer = (res) => void res.writeHead(204).end()
    await until(
      async () => receiver.notifications.length,
      (calls) => calls > count + 1,
    )
    expect(receiver.notifications.at(-1)?.body).toEqual({ auth_req_id: asked.auth_req_id })
    expect((await take('bank', asked, third?.origin)).status).toBe(200)
  })

  test('gets its answer though the node dies while it decides', async () => {
    const [, second, third] = cluster.nodes
    const origin = third?.origin ?? ''
    const phone = await phoneToken(origin, 'the last person')
    const form = { login_hint: String(decodeJwt(phone).sub), client_notification_token: 'a-token-of-the-application' }
    const { body: asked } = await post('bank', form, second?.origin)
    await scan(origin, asked.ticket, phone)
    const deciding = confirm(second?.origin ?? '', asked.ticket, phone).catch(() => undefined)
    await Promise.all([deciding, second?.kill()])
    // The phone does not know, so it repeats its answer.
    expect((await confirm(origin, asked.ticket, phone)).status).toBe(200)
    await until(
      async () => receiver.notifications.filter(({ body }) => body.auth_req_id === asked.auth_req_id).length,
      (calls) => calls > 0,
    )
    expect((await take('bank', asked, origin)).status).toBe(200)
  })
})

import { readFile } from 'node:fs/promises'
import { DEVICE_CODE_GRANT } from '@saoma/protocol'
import {
  attemptPhoneToken,
  attemptTicket,
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  inLots,
  openEvents,
  phoneToken,
  poll,
  redeem,
  request,
  scan,
  startCluster,
  until,
} from '@saoma/testing'

/**
 * F1–F6 of "Demystifying the (In)Security of QR Code-based Login in Real-world Deployments" (USENIX Security
 * 2025), tried on ourselves.
 */
let cluster: Cluster
let alice: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  alice = await phoneToken(cluster.origin, 'alice')
})

const show = ({ status, body }: { status: number; body: unknown }) => `${status} ${JSON.stringify(body)}`

/**
 * Asks for `ticket` at every door whose address names it and that answers at once, as a browser that holds
 * `deviceCode` and `cookie`.
 */
const ask = (ticket: string, deviceCode: string, cookie: string): Promise<string>[] => {
  const headers = { cookie }
  const { origin } = cluster
  return [
    request(`${origin}/v1/tickets/${ticket}?wait=0`, { bearer: deviceCode }),
    request(`${origin}/v1/tickets/${ticket}/resume`, { method: 'POST', headers }),
    request(`${origin}/cgi-bin/mmwebwx-bin/login?uuid=${ticket}&tip=1`, { headers }),
    request(`${origin}/connect/l/qrconnect?uuid=${ticket}`, { headers }),
  ].map(async (answer) => show(await answer))
}
/** The same and the event stream, which to the right browser would go on until the ticket ends. */
const byAddress = (ticket: string, deviceCode: string, cookie: string): Promise<string[]> => {
  const accept = { headers: { accept: 'text/event-stream' } }
  const stream = request(`${cluster.origin}/v1/tickets/${ticket}`, { bearer: deviceCode, ...accept })
  return Promise.all([...ask(ticket, deviceCode, cookie), stream.then(show)])
}

/** Asks at the two doors that read the ticket out of the device code: the socket and the token endpoint. */
const byCode = async (deviceCode: string): Promise<string[]> => {
  const socket = connectLogin(cluster.origin)
  const ack = await socket.watch(deviceCode)
  socket.close()
  return [JSON.stringify(ack), show(await redeem(cluster.origin, deviceCode))]
}

const cookieOf = ({ headers }: { headers: Headers }) => headers.get('set-cookie')?.split(';')[0] ?? ''
const telling = (answers: string[]) =>
  answers.filter((answer) => /pending|scanned|confirmed|code=20[01]|errcode=40[45]/.test(answer))

test('F1 unbound session: a browser cannot follow the ticket of another at any door', async () => {
  const victim = await createTicket(cluster.origin)
  const attacker = await attemptTicket(cluster.origin)
  const own = attacker.body.device_code
  const forged = victim.ticket + own.slice(22)
  const forgedCookie = `saoma_${victim.ticket}=${forged}`
  const moves = [
    async () => {},
    () => scan(cluster.origin, victim.ticket, alice),
    () => confirm(cluster.origin, victim.ticket, alice),
  ]
  for (const move of moves) {
    await move()
    const answers = [
      ...(await byAddress(victim.ticket, own, cookieOf(attacker))),
      ...(await byAddress(victim.ticket, forged, forgedCookie)),
      ...(await byCode(forged)),
    ]
    expect(answers).toHaveLength(12)
    expect(telling(answers)).toEqual([])
  }
  // The same doors do tell the victim's own browser.
  const asked = ask(victim.ticket, victim.device_code, `saoma_${victim.ticket}=${victim.device_code}`)
  expect(telling(await Promise.all(asked))).toHaveLength(4)
  const stream = await openEvents(`${cluster.origin}/v1/tickets/${victim.ticket}`, { bearer: victim.device_code })
  expect((await stream.next('ticket')).data).toMatchObject({ status: 'confirmed' })
  const [watched = '', redeemed = ''] = await byCode(victim.device_code)
  expect(watched).toContain('confirmed')
  expect(redeemed).toContain('access_token')
  await stream.ended
})

test('F2 reusable code: after the login the ticket is gone at every door', async () => {
  const { body, headers } = await attemptTicket(cluster.origin)
  await scan(cluster.origin, body.ticket, alice)
  await confirm(cluster.origin, body.ticket, alice)
  expect((await redeem(cluster.origin, body.device_code)).status).toBe(200)
  const answers = [
    ...(await byAddress(body.ticket, body.device_code, cookieOf({ headers }))),
    ...(await byCode(body.device_code)),
  ]
  expect(telling(answers)).toEqual([])
  expect(answers.join()).not.toContain('access_token')
  expect(await scan(cluster.origin, body.ticket, alice)).toMatchObject({
    status: 409,
    body: { code: 'TICKET_SETTLED' },
  })
})

test('F3 predictable id: 500 tickets share nothing, and no character foretells the next', async () => {
  const created = await inLots(Array(500).fill(undefined), () => createTicket(cluster.origin), 50)
  for (const part of [(code: string) => code.slice(0, 22), (code: string) => code.slice(22)]) {
    const values = created.map(({ device_code }) => part(device_code))
    expect(new Set(values).size).toBe(500)
    for (let at = 0; at < (values[0]?.length ?? 0); at++) {
      // 500 draws of 64 characters: a position that shows fewer than 40 of them is not random.
      expect(new Set(values.map((value) => value[at])).size).toBeGreaterThan(40)
    }
  }
})

test('F4 controllable id: nothing that a client sends becomes the id', async () => {
  const wanted = 'A'.repeat(22)
  const { body } = await attemptTicket(cluster.origin, {
    form: {
      client_id: 'web',
      scope: 'openid',
      ticket: wanted,
      device_code: wanted.padEnd(65, 'A'),
      uuid: wanted,
      jti: wanted,
    },
    headers: { cookie: `saoma_${wanted}=${wanted.padEnd(65, 'A')}` },
  })
  expect(body.ticket).not.toBe(wanted)
  expect(body.device_code.startsWith(wanted)).toBe(false)
  expect(await poll(cluster.origin, wanted.padEnd(65, 'A'))).toMatchObject({
    status: 404,
    body: { code: 'TICKET_NOT_FOUND' },
  })
})

test('F5 identity from the client: what a phone claims to be has no effect', async () => {
  const { ticket, device_code } = await createTicket(cluster.origin)
  const headers = { 'content-type': 'application/json', 'x-openid': 'oVictim', 'x-user-id': 'victim' }
  await scan(`${cluster.origin}`, `${ticket}`, alice, { headers })
  const claimed = await request(
    `${cluster.origin}/v1/tickets/${ticket}/confirm?openid=oVictim&sub=victim&phone=13800000000`,
    { method: 'POST', bearer: alice, headers },
  )
  expect(claimed.status).toBe(200)
  const { body } = await redeem(cluster.origin, device_code)
  const claims = JSON.parse(Buffer.from(body.id_token?.split('.')[1] ?? '', 'base64url').toString())
  expect(claims.name).toBe('alice')
  expect(await attemptPhoneToken(cluster.origin, 'oVictim')).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})

test('F6 leaks: before the login is done answers hold ticket, status, version and seconds only', async () => {
  const { ticket, device_code } = await createTicket(cluster.origin)
  const browser = connectLogin(cluster.origin)
  const heard: unknown[] = [await browser.watch(device_code)]
  browser.socket.onAny((...event) => heard.push(event))
  const states: unknown[] = [(await poll(cluster.origin, device_code)).body]
  await scan(cluster.origin, ticket, alice)
  states.push(await browser.next('ticket'), (await poll(cluster.origin, device_code)).body)
  await confirm(cluster.origin, ticket, alice)
  states.push(await browser.next('ticket'), (await poll(cluster.origin, device_code)).body)
  for (const state of states)
    expect(Object.keys(state as object).sort()).toEqual(['expiresIn', 'status', 'ticket', 'version'])
  const sub = JSON.parse(Buffer.from(alice.split('.')[1] ?? '', 'base64url').toString()).sub
  expect(JSON.stringify([heard, states])).not.toMatch(new RegExp(`alice|token|${sub}|${device_code.slice(22)}`))
  browser.close()
})

test('no log line of any node or of nginx holds a secret', async () => {
  const { ticket, device_code } = await createTicket(cluster.origin)
  await poll(cluster.origin, device_code)
  await scan(cluster.origin, ticket, alice)
  await confirm(cluster.origin, ticket, alice)
  const { body } = await redeem(cluster.origin, device_code)
  // Nodes gather their lines for a moment.
  const told = [
    `${ticket}/scan`,
    `${ticket}/confirm`,
    `"grant":"${DEVICE_CODE_GRANT}","client":"web","ticket":"${ticket}"`,
  ]
  const logged = await until(
    async () => cluster.nodes.flatMap((node) => node.lines.map(({ text }) => text)).join('\n'),
    (text) => told.every((part) => text.includes(part)),
  )
  const lines = logged + (await readFile(cluster.nginx.accessLog, 'utf8'))
  expect(lines).toContain(ticket)
  for (const secret of [
    device_code.slice(22),
    alice,
    body.access_token,
    body.refresh_token ?? 'none',
    body.id_token ?? 'none',
  ]) {
    expect(lines).not.toContain(secret)
  }
})

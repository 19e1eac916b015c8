import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import {
  connectLogin,
  createTicket,
  type Dns,
  freePort,
  type Gateway,
  type Nginx,
  onCleanup,
  startDns,
  startGateway,
  startNginx,
  startRedis,
  startService,
  until,
} from '@saoma/testing'

/** Linux has all of 127.0.0.0/8; macOS only the first, until somebody adds the others. */
const hasAddress = async (host: string): Promise<boolean> => {
  const server = createServer().listen(0, host)
  const bound = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.close()
  return bound
}
const hasAddresses = await hasAddress('127.0.0.5')
if (!hasAddresses)
  console.warn('Not tested: nginx and nodes that have names. Add 127.0.0.2 to 127.0.0.5 (ifconfig lo0 alias).')
const withAddresses = hasAddresses ? describe : describe.skip

/** Where nodes come and go, and nginx finds them by name. */
interface Place {
  idOf(number: number): string
  /** By which nginx looks for that node. */
  nameOf(number: number): string
  /** What else nginx may ask for. */
  names: readonly string[]
  /** What nginx is told of it. */
  settings: Record<string, string>
  /** The hosts where anybody may go from now on. */
  setReady(hosts: readonly string[]): void
  /** Ids that no node here has. */
  strange: readonly string[]
}

/** Pods have names with numbers in them, and those that are ready are behind one address. */
const kubernetes = async (dns: Dns, port: number): Promise<Place> => {
  const service = await startService()
  const names = 'node-*.nodes.test'
  return {
    idOf: (number) => `${number}`,
    nameOf: (number) => names.replace('*', `${number}`),
    names: [],
    settings: {
      SAOMA_SERVICE: service.address,
      SAOMA_NODE_NAMES: `${names}:${port}`,
      NGINX_RESOLVER: dns.address,
    },
    setReady: (hosts) => service.set(hosts.map((host) => `${host}:${port}`)),
    strange: ['evil.test', '0.evil.test', '00', '', '10000', '1%0a', '0:22', '%5b::1%5d', 'a', '1@evil'],
  }
}

/** The id of a container is its name, and the service's name has the addresses of all. */
const docker = async (dns: Dns, port: number): Promise<Place> => {
  const service = 'gateway.test'
  const idOf = (number: number): string => `c0ffee00000${number}`
  return {
    idOf,
    nameOf: idOf,
    names: [service],
    settings: { SAOMA_CONTAINERS: `${service}:${port}`, NGINX_RESOLVER: dns.address },
    setReady: (hosts) => dns.set(service, ...hosts),
    strange: [
      'evil.test',
      'c0ffee000000.evil.test',
      'c0ffee00000',
      'c0ffee0000000',
      'C0FFEE000000',
      'gateway',
      '0',
      '',
    ],
  }
}

interface Session {
  sid: string
  /** What one request of this session is answered: its status and the node. */
  send(): Promise<string>
}

const nodeOf = ({ sid }: Session): string => sid.split('-')[0] ?? ''

/** Engine.IO over HTTP by hand, so that each request can be looked at. */
const openSession = async (origin: string, givenSid?: string): Promise<Session> => {
  const url = `${origin}/socket.io/?EIO=4&transport=polling`
  const open = async (): Promise<string> => JSON.parse((await (await fetch(url)).text()).slice(1)).sid
  const sid = givenSid ?? (await open())
  return {
    sid,
    send: async () => {
      const answer = await fetch(`${url}&sid=${sid}`, {
        method: 'POST',
        body: '3',
        signal: AbortSignal.timeout(10_000),
      })
      await answer.arrayBuffer()
      return `${answer.status} ${answer.headers.get('x-saoma-node') ?? ''}`.trim()
    },
  }
}

/**
 * A session with each of that many nodes. Opened side by side: one after the other they would use one
 * connection again.
 */
const sessionsOf = async (origin: string, count: number): Promise<Session[]> => {
  const byNode = new Map<string, Session>()
  await until(
    async () => {
      for (const session of await Promise.all(Array.from({ length: 10 }, () => openSession(origin))))
        byNode.set(nodeOf(session), session)
    },
    () => byNode.size === count,
  )
  return [...byNode.values()]
}

withAddresses.each([
  { where: 'Kubernetes', settle: kubernetes },
  { where: 'Docker', settle: docker },
])('nodes that come and go in $where', ({ where, settle }) => {
  let dns: Dns
  let place: Place
  let nginx: Nginx
  let port: number
  let redisUrl: string
  const nodes: Gateway[] = []
  const hosts: string[] = []
  const ready = (...numbers: number[]) => place.setReady(numbers.map((number) => hosts[number] ?? ''))
  const isOn = (session: Session, number: number): boolean => nodeOf(session) === place.idOf(number)

  const add = async (number: number, host = `127.0.0.${number + 2}`): Promise<void> => {
    hosts[number] = host
    // It has its name before it is ready.
    dns.set(place.nameOf(number), host)
    const env = { HOST: host, PORT: `${port}`, SAOMA_DRAIN_WINDOW_MS: '2000' }
    nodes[number] = await startGateway({ redisUrl, nodeId: place.idOf(number), origin: nginx.origin, env })
  }

  beforeAll(async () => {
    const [redis] = await Promise.all([
      startRedis(),
      startDns().then((started) => {
        dns = started
      }),
    ])
    redisUrl = redis.url
    port = await freePort()
    place = await settle(dns, port)
    nginx = await startNginx({ nodes: [], env: place.settings })
    await Promise.all([add(0), add(1)])
    ready(0, 1)
    await until(
      async () => (await fetch(nginx.origin)).status,
      (status) => status !== 502,
    )
  })

  test('every request of a polling session reaches the node that holds it', async () => {
    for (const session of await sessionsOf(nginx.origin, 2))
      for (let i = 0; i < 10; i++) expect(await session.send()).toBe(`200 ${nodeOf(session)}`)
    // The same with the clients that people have: a poll is held and others come beside it.
    const come = async () => {
      const client = connectLogin(nginx.origin, { transports: ['polling'], reconnection: false })
      const { device_code } = await createTicket(nginx.origin)
      await client.next('connect')
      for (let i = 0; i < 3; i++) expect(await client.watch(device_code)).toMatchObject({ ok: true })
      return client
    }
    const lot = () => Promise.all(Array.from({ length: 12 }, come))
    const clients = await lot()
    const nodesOf = () => new Set(clients.map(({ socket }) => socket.io.engine.id?.split('-')[0]))
    // All who wait for one answer of the resolver go to the same node, and these may have come together.
    while (nodesOf().size < 2) clients.push(...(await lot()))
    expect(nodesOf()).toEqual(new Set([place.idOf(0), place.idOf(1)]))
    for (const client of clients) expect(client.pending('disconnect')).toEqual([])
    for (const client of clients) client.close()
  })

  test('an added node is reached without a reload, even if it was requested before it existed', async () => {
    const early = await openSession(nginx.origin, `${place.idOf(2)}-session`)
    expect(await early.send()).toBe('502')
    await add(2)
    ready(0, 1, 2)
    for (const session of await sessionsOf(nginx.origin, 3))
      for (let i = 0; i < 5; i++) expect(await session.send()).toBe(`200 ${nodeOf(session)}`)
  })

  test('a node that is no longer ready keeps its sessions', async () => {
    const sessions = await sessionsOf(nginx.origin, 3)
    ready(1, 2)
    for (const session of sessions) expect(await session.send()).toBe(`200 ${nodeOf(session)}`)
    ready(0, 1, 2)
  })

  test('sessions of a node that is gone fail at once, and everything else goes on', async () => {
    const sessions = await sessionsOf(nginx.origin, 3)
    const lost = sessions.filter((session) => isOn(session, 1))
    await nodes[1]?.kill()
    ready(0, 2)
    // DNS still leads there, as it does for a moment.
    for (const session of lost) expect(await session.send()).toBe('502')
    for (const session of sessions.filter((session) => !lost.includes(session)))
      expect(await session.send()).toBe(`200 ${nodeOf(session)}`)
    const reached = new Set<string>()
    await until(
      async () => reached.add(nodeOf(await openSession(nginx.origin))),
      ({ size }) => size === 2,
    )
    expect(reached).toEqual(new Set([place.idOf(0), place.idOf(2)]))
  })

  test('a node that returns at another address is found there', async () => {
    // nginx has just used the former address, which its TTL would let it do for ten minutes.
    await add(1, '127.0.0.5')
    ready(0, 1, 2)
    const [back] = (await sessionsOf(nginx.origin, 3)).filter((session) => isOn(session, 1))
    expect(
      await until(
        async () => back?.send(),
        (answer) => answer !== '502',
      ),
    ).toBe(`200 ${place.idOf(1)}`)
  })

  test('only the id of a node makes nginx look up a node', async () => {
    // Any node answers, that it knows no such session.
    for (const id of place.strange) expect(await (await openSession(nginx.origin, `${id}-x`)).send()).toBe('400')
    const known = new Set([...place.names, ...[0, 1, 2].map(place.nameOf)])
    expect(dns.asked.filter((name) => !known.has(name))).toEqual([])
  })

  // Kubernetes takes them out of the service first.
  if (where === 'Docker')
    test('leaving nodes are skipped while the service still lists their addresses', async () => {
      const browsers = Array.from({ length: 40 }, () => connectLogin(nginx.origin, { transports: ['websocket'] }))
      for (const browser of browsers) await browser.next('connect')
      await nodes[1]?.kill()
      let left = false
      const leaving = nodes[2]?.stop().then(() => {
        left = true
      })
      await until(
        async () => {
          await openSession(nginx.origin)
          await createTicket(nginx.origin)
        },
        () => left,
      )
      await leaving
      for (const browser of browsers) browser.close()
      // The first did not answer, the second refused, and neither had the last word.
      const wasLogged = (line: RegExp) =>
        until(
          async () => line.test(await readFile(nginx.accessLog, 'utf8')),
          (found) => found,
        )
      expect(await wasLogged(/"path":"\/oidc\/device\/auth".*"upstreamStatus":"502, (502, )?200"/)).toBe(true)
      expect(await wasLogged(/"path":"\/socket.io\/".*"upstreamStatus":"(502, )?503, (502, )?200"/)).toBe(true)
    })
})

test('a silent DNS server delays nobody for long', async () => {
  const silent = createSocket('udp4')
  onCleanup(() => silent.close())
  silent.bind(0, '127.0.0.1')
  await once(silent, 'listening')
  const nginx = await startNginx({
    nodes: [],
    env: {
      SAOMA_SERVICE: '127.0.0.1:1',
      SAOMA_NODE_NAMES: 'node-*.nodes.test:1',
      NGINX_RESOLVER: `127.0.0.1:${silent.address().port}`,
    },
  })
  expect(await (await openSession(nginx.origin, '0-session')).send()).toBe('502')
})

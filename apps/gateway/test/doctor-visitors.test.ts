import { type Cluster, freePort, startCluster, startNginx, startOuterNginx } from '@saoma/testing'
import { type Config, readConfig } from '../src/config/config.ts'
import { FORGED, forwarded, judgeForwarded, type Seen } from '../src/doctor/forwarded.ts'
import { passOn, UPGRADE_MAP } from './doctor-fronts.ts'

const SECRET = 'a secret of tests, which nobody keeps'

describe('behind a proxy', () => {
  let cluster: Cluster
  let config: Config
  let port: number

  // The proof is for the origin of the cluster, so each proxy stands there in its turn.
  beforeAll(async () => {
    port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    cluster = await startCluster({ nodes: 1, origin, nginxEnv: { NGINX_TRUST: '127.0.0.1' } })
    config = readConfig({ SAOMA_ORIGIN: origin, SAOMA_DEMO: 'true', SAOMA_SECRET: SECRET })
  })
  const look = async (over: Record<string, string>, { inside = cluster.nginx.origin, settings = config } = {}) => {
    const proxy = await startOuterNginx({ port, http: UPGRADE_MAP, server: passOn(inside, over) })
    const { origin } = config
    const found = await forwarded.run({ origin, config: settings, signal: new AbortController().signal })
    await proxy.stop()
    return found
  }

  test('a healthy one is fine', async () => {
    expect(await look({})).toMatchObject([{ code: 'forwarded-address', level: 'ok' }])
  })

  test('a made-up address that the proxy passes on is found', async () => {
    expect(await look({ 'proxy_set_header X-Forwarded-For': '$http_x_forwarded_for' })).toMatchObject([
      { code: 'forwarded-forged', level: 'error', says: expect.stringContaining('made up') },
    ])
  })

  test('a proxy that does not say who asks is found', async () => {
    expect(await look({ 'proxy_set_header X-Forwarded-For': "''" })).toMatchObject([
      { code: 'forwarded-address', level: 'error', says: expect.stringContaining('a proxy’s address') },
    ])
  })

  test('a proxy that nginx does not trust is found, with the setting', async () => {
    const { origin: inside } = await startNginx({ nodes: cluster.nodes })
    expect(await look({}, { inside })).toMatchObject([
      {
        code: 'forwarded-untrusted',
        level: 'error',
        says: expect.stringContaining('127.0.0.1 passes requests on, and NGINX_TRUST'),
      },
    ])
  })

  test('a proxy that changes the host is found, and takes the proof all the same', async () => {
    const found = await look({ 'proxy_set_header Host': '$proxy_host' })
    expect(found.filter(({ level }) => level !== 'ok')).toMatchObject([{ code: 'forwarded-host', level: 'error' }])
  })

  test('another secret is not taken, and without settings none is tried', async () => {
    const settings = { ...config, secrets: ['a secret of somebody else, of another place'] as [string] }
    expect(await look({}, { settings })).toMatchObject([
      { code: 'forwarded', level: 'skipped', todo: expect.stringContaining('Compare SAOMA_SECRET') },
    ])
    const { origin } = await startOuterNginx({ port, http: UPGRADE_MAP, server: passOn(cluster.nginx.origin) })
    expect(await forwarded.run({ origin, signal: new AbortController().signal })).toMatchObject([
      { code: 'forwarded', level: 'skipped', says: expect.stringContaining('who knows SAOMA_SECRET') },
    ])
  })
})

/* Routers, pods and bridges cannot be had on one machine, so these are judged from what would be seen. */
describe('a machine beside the nodes that asks at the public address', () => {
  const seen = (own: string, ip: string, { peer = '8.8.8.8', forgedIp = ip } = {}): Seen => ({
    origin: 'https://login.example.com',
    trustedProxies: ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
    plain: {
      ...{ own, peer },
      diagnosis: {
        ...{ node: 'a', version: '1.0.0', clusterVersion: 2, proto: 'https', untrusted: null, time: 0 },
        ...{ ip, host: 'login.example.com', peer: '10.0.0.2' },
      },
    },
    forgedIp,
  })

  test.each([
    ['a pod that the balancer passes on as it is', '10.244.1.5', '10.244.1.5', 'ok'],
    ['a container behind the proxy of Docker', '172.18.0.5', '172.18.0.1', 'skipped'],
    ['a machine that its router turns round', '192.168.1.50', '192.168.1.1', 'skipped'],
    ['a pod that is seen as its machine', '10.42.0.5', '192.168.1.10', 'warning'],
    ['a machine with a public address, seen as a proxy', '93.184.215.14', '10.0.0.7', 'error'],
  ])('%s', (_, own, ip, level) => {
    expect(judgeForwarded(seen(own, ip))).toMatchObject([{ code: 'forwarded-address', level }])
  })

  test('its made-up address may be believed, because its own network is trusted', () => {
    expect(judgeForwarded(seen('172.18.0.5', '172.18.0.1', { forgedIp: FORGED }))).toMatchObject([
      { code: 'forwarded-forged', level: 'skipped' },
    ])
    expect(judgeForwarded(seen('192.168.1.5', '10.0.0.7', { forgedIp: FORGED }))).toMatchObject([
      { code: 'forwarded-forged', level: 'error' },
    ])
  })
})

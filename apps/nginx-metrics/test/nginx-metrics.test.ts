import { createSocket } from 'node:dgram'
import { connectLogin, freePort, request, startApp, startCluster, until } from '@saoma/testing'

/** By their series; NaN for one that is not there. */
const metricsOf = async (origin: string) => {
  const { body } = await request<string>(`${origin}/metrics`)
  return (series: string): number =>
    Number(
      body
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length),
    )
}

test('it reports nginx’s connections, room, and answers by status', async () => {
  const [probe, port, syslog] = [`127.0.0.1:${await freePort()}`, await freePort(), await freePort()]
  const cluster = await startCluster({
    nodes: 1,
    nginxEnv: {
      NGINX_PROBE: probe,
      NGINX_METRICS: `127.0.0.1:${syslog}`,
      NGINX_CONNECTIONS: '2048',
      NGINX_WORKERS: '2',
    },
  })
  const app = await startApp({
    app: 'nginx-metrics',
    name: 'metrics of nginx',
    env: { NGINX_STATUS: `http://${probe}/nginx-status`, PORT: `${port}`, SYSLOG_PORT: `${syslog}` },
  })
  const origin = `http://127.0.0.1:${app.port}`
  expect((await request(`${origin}/healthz`)).status).toBe(200)
  const none = await metricsOf(origin)
  expect(none('saoma_nginx_up')).toBe(1)
  // Two workers, each with 2048 connections less 128 and 512, two for each socket.
  expect(none('saoma_nginx_sockets_limit')).toBe(1408)
  expect(none('saoma_nginx_answers_total{status="502",by="node"}')).toBe(0)

  const browsers = Array.from({ length: 5 }, () => connectLogin(cluster.origin))
  for (const browser of browsers) await browser.next('connect')
  const before = await metricsOf(origin)
  expect(before('saoma_nginx_connections{state="active"}')).toBeGreaterThanOrEqual(5)
  expect(before('saoma_nginx_connections_accepted_total')).toBe(before('saoma_nginx_connections_handled_total'))

  expect((await request(`${cluster.origin}/v1/nothing`)).status).toBe(404)
  await cluster.nodes[0]?.kill('SIGKILL')
  expect((await request(`${cluster.origin}/v1/nothing`)).status).toBe(502)
  // Whatever else comes by datagram is nobody's answer.
  const liar = createSocket('udp4')
  for (const text of ['saoma: 999 node', 'saoma: 502 x', '502', 'saoma: 200', '']) liar.send(text, syslog, '127.0.0.1')
  const after = await until(
    () => metricsOf(origin),
    (series) =>
      series('saoma_nginx_answers_total{status="502",by="node"}') > 0 &&
      series('saoma_nginx_answers_total{status="404",by="node"}') > 0,
  )
  expect(after('saoma_nginx_answers_total{status="999",by="node"}')).toBeNaN()
  liar.close()
  for (const browser of browsers) browser.close()

  await cluster.nginx.kill('SIGKILL')
  const gone = await metricsOf(origin)
  expect(gone('saoma_nginx_up')).toBe(0)
  expect(gone('saoma_nginx_connections{state="active"}')).toBeNaN()
})

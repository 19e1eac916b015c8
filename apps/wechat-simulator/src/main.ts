import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSimulator } from './simulator.ts'

const { PORT = '0', HOST = '127.0.0.1', WECHAT_APPID, WECHAT_SECRET, WECHAT_PAGE = 'pages/login/index' } = process.env
/**
 * Name of the Open Platform account of the apps. With it people have a unionid. Further apps are written as
 * for a node.
 */
const { WECHAT_OPEN_PLATFORM: openPlatform, WECHAT_APPS = '[]' } = process.env

const start = (appid: string, secret: string): void => {
  const simulator = createSimulator({
    appid,
    secret,
    pages: [WECHAT_PAGE],
    others: JSON.parse(WECHAT_APPS),
    ...(openPlatform ? { openPlatform } : {}),
  })
  const server = createServer(simulator.handler)
  server.once('error', (error) => {
    process.stderr.write(`The WeChat simulator cannot listen on ${HOST}:${PORT}: ${error.message}\n`)
    process.exitCode = 1
  })
  server.listen(Number(PORT), HOST, () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`${JSON.stringify({ event: 'listening', port })}\n`)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      simulator.close()
      server.close()
      server.closeAllConnections()
    })
  }
}

if (WECHAT_APPID && WECHAT_SECRET) {
  start(WECHAT_APPID, WECHAT_SECRET)
} else {
  process.stderr.write('WECHAT_APPID and WECHAT_SECRET must say which credentials the simulator takes\n')
  process.exitCode = 1
}

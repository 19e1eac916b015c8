import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseEnv } from 'node:util'
import { attemptPhoneToken, documented, onCleanup, startGateway, startRedis } from '@saoma/testing'
import express from 'express'

const [settings, hook] = documented('docs/login.md', 'Use the people you have')

test('the account hook of the page names the people of the company, and refuses others', async () => {
  // Without a value many databases find the first user.
  const find = async (value?: string) => (value === undefined ? { id: 1, name: 'The first one' } : undefined)
  const users = {
    findByUnionid: find,
    findByOpenid: async (_app: string, id: string) => (id === 'Ann' ? { id: 1001, name: 'Ann Smith' } : undefined),
    findByPhone: find,
  }
  const env = parseEnv(settings?.code ?? '')
  const app = express()
  new Function('app', 'express', 'users', 'process', hook?.code ?? '')(app, express, users, { env })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => void server.close())
  const { port } = server.address() as AddressInfo
  const url = new URL(env.SAOMA_ACCOUNT_URL ?? '')

  const redis = await startRedis()
  const { origin } = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://hook.test',
    env: { ...env, SAOMA_ACCOUNT_URL: `http://127.0.0.1:${port}${url.pathname}` },
  })
  const known = await attemptPhoneToken(origin, 'demo:Ann')
  const claims = JSON.parse(Buffer.from(known.body.access_token.split('.')[1] ?? '', 'base64url').toString())
  expect(claims.sub).toBe('1001')
  expect(await attemptPhoneToken(origin, 'demo:Eve')).toMatchObject({
    status: 403,
    body: { code: 'ACCOUNT_REFUSED', detail: 'Please sign up at the front desk first.' },
  })
  // Only a node may ask.
  const asked = await fetch(`http://127.0.0.1:${port}${url.pathname}`, { method: 'POST' })
  expect(asked.status).toBe(401)
})

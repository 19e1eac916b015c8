import { createRedis } from '@saoma/redis'
import { type Gateway, onCleanup, refresh, request, startGateway, startRedis, webToken } from '@saoma/testing'

/* What SECURITY.md and docs/operate.md tell an operator to delete when secrets have leaked. */

const login = async () => {
  const redis = await startRedis()
  const clients = await createRedis({ url: redis.url, probeMs: 0 })
  onCleanup(() => clients.close())
  const start = (): Promise<Gateway> =>
    startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://emergency.test' })
  const first = await start()
  const tokens = await webToken(first.origin, 'ada')
  await first.stop()
  return { ...clients, tokens, start }
}
const sessions = async ({ origin }: Gateway, bearer: string): Promise<number> =>
  (await request(`${origin}/v1/sessions`, { bearer })).status

test('without the signing keys access tokens are worthless, but nobody is logged out', async () => {
  const { data, keys, tokens, start } = await login()
  expect(await data.unlink(keys.signingKeys())).toBe(1)
  const second = await start()
  expect(await sessions(second, tokens.access_token)).toBe(401)
  const { status, body } = await refresh(second.origin, tokens.refresh_token)
  expect(status).toBe(200)
  expect(await sessions(second, body.access_token)).toBe(200)
})

test('without the grants every session is over', async () => {
  const { data, keys, tokens, start } = await login()
  expect(await data.unlink(...(await data.keys(keys.oidc('Grant', '*'))))).toBeGreaterThan(0)
  const second = await start()
  expect(await sessions(second, tokens.access_token)).toBe(401)
  expect(await refresh(second.origin, tokens.refresh_token)).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})

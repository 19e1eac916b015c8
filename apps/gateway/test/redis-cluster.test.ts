import {
  confirm,
  connectLogin,
  createTicket,
  freePort,
  phoneToken,
  poll,
  redeem,
  refresh,
  scan,
  startGateway,
  startNginx,
  startRedisCluster,
} from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

// They use every door and are refreshed.
test('a Redis Cluster of three masters carries 60 logins across two nodes', async () => {
  const { url: redisUrl } = await startRedisCluster()
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const nodes = await Promise.all(['a', 'b'].map((nodeId) => startGateway({ redisUrl, nodeId, origin })))
  await startNginx({ nodes, port })
  const door = (i: number) => nodeAt(nodes, i).origin
  const alice = await phoneToken(origin, 'alice')

  const login = async (i: number) => {
    const { device_code, ticket } = await createTicket(door(i))
    const browser = connectLogin(door(i))
    expect(await browser.watch(device_code)).toMatchObject({ ok: true, state: { status: 'pending' } })
    const held = poll(door(i), device_code, { after: 2, wait: 25 })
    await scan(door(i + 1), ticket, alice)
    await confirm(door(i + 1), ticket, alice)
    expect([(await browser.next('ticket')).status, (await browser.next('ticket')).status]).toEqual([
      'scanned',
      'confirmed',
    ])
    expect(await held).toMatchObject({ status: 200, body: { status: 'confirmed' } })
    const tokens = await redeem(origin, device_code)
    expect(tokens.status).toBe(200)
    expect((await refresh(origin, tokens.body.refresh_token)).status).toBe(200)
    browser.close()
  }
  for (let done = 0; done < 60; done += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => login(done + i)))
  for (const node of nodes) expect(node.lines.filter(({ json }) => json?.level === 'error')).toEqual([])
})

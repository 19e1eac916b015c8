import { confirm, connectLogin, createTicket, phoneToken, redeem, request, scan, startCluster } from '@saoma/testing'

const login = async (origin: string, name: string) => {
  const [code, token] = await Promise.all([createTicket(origin), phoneToken(origin, name)])
  const browser = connectLogin(origin)
  const { ticket, device_code } = code
  expect(await browser.watch(device_code)).toMatchObject({ ok: true, state: { status: 'pending' } })
  expect((await scan(origin, ticket, token)).status).toBe(200)
  expect(await browser.next('ticket')).toMatchObject({ ticket, status: 'scanned' })
  expect((await confirm(origin, ticket, token)).status).toBe(200)
  expect(await browser.next('ticket')).toMatchObject({ ticket, status: 'confirmed' })
  const tokens = await redeem(origin, device_code)
  expect(tokens.status).toBe(200)
  return tokens.body
}

test('a cluster logs a browser in through nginx before and after each node restarts', async () => {
  const cluster = await startCluster({ simulator: true })
  expect(cluster.nodes.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(await login(cluster.origin, 'ana')).toMatchObject({ token_type: 'Bearer' })

  for (const node of cluster.nodes) {
    const { pid, origin } = node
    await node.kill()
    await node.restart()
    expect(node.pid).not.toBe(pid)
    expect((await request(`${origin}/oidc/jwks`)).headers.get('x-saoma-node')).toBe(node.id)
  }
  expect(await login(cluster.origin, 'ana')).toMatchObject({ token_type: 'Bearer' })
  await cluster.stop()
})

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTicket, onCleanup, startCluster } from '@saoma/testing'
import { scanned, startPhone } from './phone.ts'

test('whom the business refuses reads its sentence', async () => {
  const detail = '您不是会员，请联系前台。'
  const hook = createServer((_, res) => res.end(JSON.stringify({ allow: false, detail }))).listen(0, '127.0.0.1')
  await once(hook, 'listening')
  onCleanup(() => void hook.close())
  const { port } = hook.address() as AddressInfo
  const cluster = await startCluster({
    nodes: 1,
    env: { SAOMA_ACCOUNT_URL: `http://127.0.0.1:${port}`, SAOMA_ACCOUNT_SECRET: 'sixteen characters' },
  })
  const { ticket } = await createTicket(cluster.origin)
  const login = startPhone(cluster, 'Eve').login(scanned(ticket))
  expect(await login.reaches('failed')).toEqual({ status: 'failed', code: 'ACCOUNT_REFUSED', detail, canRetry: false })
})

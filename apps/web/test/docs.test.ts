import { request } from '@saoma/testing'
import { desktop } from './people.ts'
import { createStage } from './stage.ts'

// The policy of the pages forbids inline styles, `eval` and other hosts.
const stage = createStage({ nodes: 1 })

test('the page of the API shows every route and every event, and asks no other host', async () => {
  const hosts = new Set<string>()
  const page = await stage.open('/docs', desktop, async (fresh) => {
    fresh.on('request', (asked) => {
      const { protocol, host } = new URL(asked.url())
      if (protocol !== 'data:') hosts.add(host)
    })
  })
  const { body: http } = await request<{ paths: Record<string, Record<string, object>> }>(
    `${stage.origin}/docs/openapi.json`,
  )
  const routes = Object.values(http.paths).flatMap((path) => Object.keys(path)).length
  await page
    .locator('#http .opblock')
    .nth(routes - 1)
    .waitFor()
  expect(await page.locator('#http .opblock').count()).toBe(routes)
  await page.getByText('Publishes one message, or several').click()
  await page.getByText('The data of a message has up to 32 KiB').waitFor()

  await page.getByRole('link', { name: 'Socket.IO, WebSocket, event streams' }).click()
  await page.getByRole('heading', { name: 'Login over Socket.IO' }).waitFor()
  const { body: events } = await request<{ operations: object; components: { schemas: object } }>(
    `${stage.origin}/docs/asyncapi.json`,
  )
  const shown = Object.keys(events.operations).length + Object.keys(events.components.schemas).length
  expect(await page.locator('#events details').count()).toBe(shown)

  expect([...hosts]).toEqual([new URL(stage.origin).host])
})

test('documents are revalidated, and the viewer is kept for a day', async () => {
  const headers = async (path: string) => (await request(`${stage.origin}${path}`)).headers
  expect((await headers('/docs')).get('content-security-policy')).toContain("default-src 'self'")
  expect((await headers('/docs/openapi.json')).get('cache-control')).toBe('no-cache')
  expect((await headers('/docs/viewer/swagger-ui.css')).get('cache-control')).toBe('public, max-age=86400')
})

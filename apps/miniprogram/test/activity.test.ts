import type { SessionList } from '@saoma/protocol'
import { type Cluster, phoneToken, refresh, request, startCluster, until, webToken } from '@saoma/testing'
import { losing, show, startPhone } from './phone.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
})

const sessionsOf = async (name: string) => {
  const bearer = await phoneToken(cluster.origin, name)
  return (await request<SessionList>(`${cluster.origin}/v1/sessions`, { bearer })).body.sessions
}

test('a person reads what happened on another node, page by page, and again after a pull', async () => {
  for (let login = 0; login < 8; login++) await webToken(cluster.nodes[0]?.origin ?? '', 'Ana')
  const { program } = startPhone(cluster, 'Ana')
  const { page, when } = show(program.activity)
  await when(({ screen }) => screen.status === 'listed')
  // Entries are written a moment after what they tell of.
  await until(
    async () => {
      await page.refresh()
      return page.screen.status === 'listed' && page.screen.entries[0]?.kind
    },
    (kind) => kind === 'login.redeemed',
  )
  const first = page.screen
  if (first.status !== 'listed') throw new Error('there is no list')
  // Eight logins are 24 entries of their person, and one says that the person came first.
  expect(first).toMatchObject({ hasMore: true, reading: false })
  expect(first.entries).toHaveLength(20)
  expect(first.entries.slice(0, 3)).toMatchObject([
    { kind: 'login.redeemed', client: 'web', ip: '127.0.0.1', mode: 'tap' },
    { kind: 'login.confirmed' },
    { kind: 'login.scanned' },
  ])
  await page.readMore()
  const all = page.screen
  if (all.status !== 'listed') throw new Error('there is no list')
  expect(all.hasMore).toBe(false)
  expect(all.entries.map(({ kind }) => kind)).toEqual([
    ...Array.from({ length: 8 }, () => ['login.redeemed', 'login.confirmed', 'login.scanned']).flat(),
    'account.created',
  ])
  expect(new Set(all.entries.map(({ id }) => id)).size).toBe(25)
})

test('an answer that is lost is asked for again, and nobody sees the entries of others', async () => {
  const { program } = startPhone(cluster, 'Bea', { wrap: losing('/v1/me/activity') })
  const { when } = show(program.activity)
  const screen = await when((page) => page.screen.status === 'listed' && page.screen)
  if (screen?.status !== 'listed') throw new Error('there is no list')
  expect(screen.hasMore).toBe(false)
  // That this person has come for the first time may be written already.
  expect(screen.entries.filter(({ kind }) => kind !== 'account.created')).toEqual([])
})

test('a person says of a login that it was somebody else, also when the answer is lost', async () => {
  const { refresh_token: refreshToken } = await webToken(cluster.nodes[0]?.origin ?? '', 'Cleo')
  const sid = (await sessionsOf('Cleo'))[0]?.sid ?? ''
  const { program } = startPhone(cluster, 'Cleo', { wrap: losing('/report') })
  const { page, when } = show(program.activity)
  await when(({ screen }) => screen.status === 'listed')
  await page.report(sid)
  expect(page.screen).toMatchObject({ status: 'listed', reporting: '', reported: true })
  expect((await refresh(cluster.origin, refreshToken)).status).toBe(400)
  await until(
    async () => {
      await page.refresh()
      return page.screen.status === 'listed' && page.screen.entries.filter(({ kind }) => kind === 'login.reported')
    },
    (found) => found !== false && found.length === 1,
  )
})

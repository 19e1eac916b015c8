import { request, startGateway, startRedis, testAdminKey, until } from '@saoma/testing'

const cursorOf = (place: object) => Buffer.from(JSON.stringify(place)).toString('base64url')

test('what an administrator reads is noted, also with a cursor that was written by hand', async () => {
  const { url } = await startRedis()
  const a = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://notes.test' })
  const read = (path: string, headers: Record<string, string> = {}) =>
    request<{ entries: { reason: string; name?: string }[] }>(`${a.internalOrigin}/v1/admin/${path}`, {
      ...{ bearer: testAdminKey, headers },
    })
  const newest = '.'.repeat(12)
  const reads: [string, Record<string, string>?][] = [
    [`audit?cursor=1${newest}`, { accept: 'application/x-ndjson' }],
    [`logins?cursor=1${newest}`],
    [`logins?state=live&cursor=1${newest}`],
    [`channels?cursor=${cursorOf({ held: [], walk: { done: '' } })}`],
    [`channels/room:open-read/messages?cursor=${cursorOf({ epoch: 'x', offset: 0 })}`],
    ['channels/room:open-people/people'],
  ]
  for (const [path, headers] of reads) expect([path, (await read(path, headers)).status]).toEqual([path, 200])
  const wanted = ['audit.export', 'channel.people', 'channel.read', 'channels.list', 'logins.live', 'logins.read']
  const reasonsOf = ({ entries }: { entries: { reason: string }[] }) =>
    entries
      .map(({ reason }) => reason)
      .filter((reason) => reason !== 'audit.read')
      .sort()
  const { body } = await until(
    () => read('audit?kind=admin.acted'),
    (answer) => reasonsOf(answer.body).length >= wanted.length,
  )
  expect(reasonsOf(body)).toEqual(wanted)
})

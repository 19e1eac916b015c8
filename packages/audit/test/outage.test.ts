import { type RedisClients, RedisUnavailable, whenReady } from '@saoma/redis'
import { type RedisClusterServer, startRedis, startRedisCluster, until } from '@saoma/testing'
import calculateSlot from 'cluster-key-slot'
import { Cluster } from 'ioredis'
import type { Kind, Loss } from '../src/index.ts'
import { partOf, partOfPerson, parts } from '../src/parts.ts'
import { drawPerson, openAudit, openRedis, readAll, serversOf, uniquePrefix, upTo, write } from './fixtures.ts'

const READY_MS = 10_000
const sidsOf = (entries: readonly { sid?: string | undefined }[]) => entries.map(({ sid }) => sid)

test('[A3] to note something costs nothing while Redis is away; it is written afterwards, in its order', async () => {
  const server = await startRedis({ appendonly: true })
  const redis = await openRedis(server.url, uniquePrefix())
  const lost: [number, Loss][] = []
  const audit = openAudit(redis, { onLost: (count, why) => lost.push([count, why]) })
  const person = drawPerson()
  await write(audit, [{ kind: 'session.ended', person, sid: 'before' }])
  await server.kill('SIGKILL')
  for (const i of upTo(1_000))
    audit.note({ kind: 'session.ended', person: i % 10 ? drawPerson() : person, sid: `${i}` })
  await expect(audit.read({})).rejects.toThrow(RedisUnavailable)
  await expect(audit.activity(person)).rejects.toThrow(RedisUnavailable)
  await expect(audit.forget(person)).rejects.toThrow(RedisUnavailable)
  await server.restart()
  await whenReady(redis.data, READY_MS)
  await audit.flush()
  const tens = upTo(100).map((i) => `${10 * i}`)
  expect(sidsOf(await readAll(audit, { person, order: 'oldest' }))).toEqual(['before', ...tens])
  expect(await readAll(audit, { limit: 500 })).toHaveLength(1_001)
  expect(lost).toEqual([])
})

test('[A3] a bounded number waits; how many were lost is counted, and noted when Redis is back', async () => {
  const server = await startRedis()
  const redis = await openRedis(server.url, uniquePrefix())
  const lost: [number, Loss][] = []
  const written: Kind[] = []
  const audit = openAudit(redis, {
    mostWaiting: 100,
    onLost: (count, why) => lost.push([count, why]),
    onWritten: (kind) => written.push(kind),
  })
  await server.kill('SIGKILL')
  for (const i of upTo(250)) audit.note({ kind: 'session.ended', person: drawPerson(), sid: `${i}` })
  expect(lost).toEqual(upTo(150).map(() => [1, 'backlog']))
  await server.restart()
  await whenReady(redis.data, READY_MS)
  await until(
    () => readAll(audit, { kinds: ['audit.lost'] }),
    (entries) => entries.length > 0,
  ).then(([entry]) => expect(entry).toMatchObject({ reason: 'backlog', count: 150, by: 'saoma' }))
  expect(written.filter((kind) => kind === 'session.ended')).toHaveLength(100)
})

test('[A3] what waits when the node stops is counted as lost', async () => {
  const server = await startRedis()
  const redis = await openRedis(server.url, uniquePrefix())
  const lost: [number, Loss][] = []
  const audit = openAudit(redis, { onLost: (count, why) => lost.push([count, why]) })
  await server.kill('SIGKILL')
  for (const _ of upTo(7)) audit.note({ kind: 'session.ended', person: drawPerson() })
  await audit.close()
  audit.note({ kind: 'session.ended', person: drawPerson() })
  expect(lost).toEqual([
    [7, 'stopped'],
    [1, 'stopped'],
  ])
})

test('[A4] a write whose reply was lost is repeated, and no entry stands twice', async () => {
  const server = await startRedis()
  const redis = await openRedis(server.url, uniquePrefix())
  const audit = openAudit(redis)
  const person = drawPerson()
  await write(audit, [{ kind: 'session.ended', person, sid: 'before' }])
  const [operator] = serversOf(await openRedis(server.url, uniquePrefix()))
  // The write reaches Redis, which runs it long after its caller has given up.
  await operator?.call('CLIENT', 'PAUSE', '5000', 'WRITE')
  for (const i of upTo(20)) audit.note({ kind: 'session.ended', person, sid: `${i}` })
  await audit.flush()
  expect(sidsOf(await readAll(audit, { person, order: 'oldest' }))).toEqual(['before', ...upTo(20).map(String)])
})

/** Somebody whose part is on one master, that master, and people whose parts are on the others. */
const peopleOf = ({ data, keys }: RedisClients, { nodes }: RedisClusterServer) => {
  if (!(data instanceof Cluster)) throw new Error('this is no cluster')
  const placeOf = (person: string) => data.slots[calculateSlot(keys.audit(partOfPerson(person)))]?.[0]
  const stuck = drawPerson()
  const away = placeOf(stuck)
  const others = upTo(60)
    .map(drawPerson)
    .filter((person) => placeOf(person) !== away)
  return { stuck, master: nodes.find(({ port }) => away?.endsWith(`:${port}`)), others }
}

test('[A18] a master that is away holds up the parts of no other', async () => {
  const cluster = await startRedisCluster({ nodeTimeoutMs: 60_000 })
  const redis = await openRedis(cluster.url, uniquePrefix())
  const audit = openAudit(redis)
  const { stuck, master, others } = peopleOf(redis, cluster)
  await master?.kill('SIGSTOP')
  audit.note({ kind: 'session.ended', person: stuck, sid: 'stuck' })
  for (const person of others) audit.note({ kind: 'session.ended', person })
  for (const person of others)
    await until(
      () => readAll(audit, { person }),
      (entries) => entries.length === 1,
    )
  await master?.kill('SIGCONT')
  await until(
    () => readAll(audit, { person: stuck }).catch(() => []),
    (entries) => entries.length === 1,
  )
})

test('[A18] what waits for a master that is away takes no room from the other parts', async () => {
  const cluster = await startRedisCluster({ nodeTimeoutMs: 60_000 })
  const redis = await openRedis(cluster.url, uniquePrefix())
  const lost: [number, Loss][] = []
  const audit = openAudit(redis, { mostWaiting: 400, onLost: (count, why) => lost.push([count, why]) })
  const { stuck, master, others } = peopleOf(redis, cluster)
  await master?.kill('SIGSTOP')
  for (const i of upTo(1_000)) audit.note({ kind: 'session.ended', person: stuck, sid: `${i}` })
  for (const person of others) audit.note({ kind: 'session.ended', person })
  for (const person of others)
    await until(
      () => readAll(audit, { person }),
      (entries) => entries.length === 1,
    )
  await master?.kill('SIGCONT')
  // An eighth of those that may wait.
  const kept = await until(
    () => readAll(audit, { person: stuck }).catch(() => []),
    (entries) => entries.length > 0,
  )
  expect(kept).toHaveLength(50)
  expect(lost).toEqual(upTo(950).map(() => [1, 'backlog']))
})

test('[A3] what Redis refuses is counted, and told when it takes entries again', async () => {
  const server = await startRedis()
  const redis = await openRedis(server.url, uniquePrefix())
  let lost = 0
  const errors: unknown[] = []
  const audit = openAudit(redis, { onLost: (count) => (lost += count), onError: (error) => errors.push(error) })
  for (const part of parts) await redis.data.set(redis.keys.audit(part), 'no stream', 'PX', 60_000)
  for (const round of upTo(3))
    await write(
      audit,
      upTo(5).map((i) => ({ kind: 'session.ended', person: `${round} ${i}` })),
    )
  expect(lost).toBe(15)
  // One for each batch: what is told of losses is not lost again and again.
  expect(errors.length).toBeLessThanOrEqual(15)
  // The part in which losses are told comes last.
  const told = partOf({ kind: 'audit.lost' })
  for (const part of parts.filter((one) => one !== told)) await redis.data.del(redis.keys.audit(part))
  const elsewhere = upTo(1_000)
    .map(drawPerson)
    .find((person) => partOfPerson(person) !== told)
  await write(audit, [{ kind: 'session.ended', person: elsewhere }])
  await redis.data.del(redis.keys.audit(told))
  await write(audit, [{ kind: 'session.ended', person: elsewhere }])
  expect(await readAll(audit, { kinds: ['audit.lost'] })).toMatchObject([{ reason: 'refused', count: 15 }])
})

test('[A4] while a slot moves to another master its entries wait, and are written whole', async () => {
  const cluster = await startRedisCluster()
  const redis = await openRedis(cluster.url, uniquePrefix())
  const lost: [number, Loss][] = []
  const errors: unknown[] = []
  const person = drawPerson()
  const options = { onLost: (count: number, why: Loss) => lost.push([count, why]) }
  const audit = openAudit(redis, { ...options, onError: (error) => errors.push(error) })
  await write(audit, [{ kind: 'session.ended', person, sid: 'before' }])
  const slot = calculateSlot(redis.keys.audit(partOfPerson(person)))
  const from = await cluster.ownerOf(slot)
  const to = cluster.ports.find((port) => port !== from) ?? 0
  const masterAt = (port: number) => serversOf(redis).find(({ options: { port: its } }) => its === port)
  const [source, target] = [masterAt(from ?? 0), masterAt(to)]
  await target?.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(await source?.call('CLUSTER', 'MYID')))
  await source?.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(await target?.call('CLUSTER', 'MYID')))
  const once = { name: 'once', ms: 60_000 }
  for (const i of upTo(20)) audit.note({ kind: 'session.ended', person, sid: `${i}` }, i === 10 ? { once } : {})
  // The key of the batch is there, that of `once` is not.
  let isOver = false
  const written = audit.flush().then(() => {
    isOver = true
  })
  await until(
    async () => Number(/^errorstat_ERR:count=(\d+)/m.exec((await source?.info('errorstats')) ?? '')?.[1] ?? 0),
    (refused) => refused > 0 || isOver,
  )
  await cluster.moveSlots([slot], to)
  await written
  expect(errors).toEqual([])
  expect(lost).toEqual([])
  expect(sidsOf(await readAll(audit, { person, order: 'oldest' }))).toEqual(['before', ...upTo(20).map(String)])
})

test('[A11] a follower bears an outage of Redis: it gets what comes afterwards, each entry once', async () => {
  const server = await startRedis({ appendonly: true })
  const redis = await openRedis(server.url, uniquePrefix())
  const audit = openAudit(redis)
  const person = drawPerson()
  const over = new AbortController()
  let away = 0
  const options = { pauseMs: 10, onAway: () => void away++ }
  const followed = audit.follow({ person, cursor: await audit.end() }, over.signal, options)
  await write(audit, [{ kind: 'session.ended', person, sid: 'before' }])
  expect(await followed.next()).toMatchObject({ value: { sid: 'before' } })
  const next = followed.next()
  await server.kill('SIGKILL')
  audit.note({ kind: 'session.ended', person, sid: 'after' })
  await until(
    async () => away,
    (times) => times > 0,
  )
  await server.restart()
  expect(await next).toMatchObject({ value: { sid: 'after' } })
  over.abort()
  expect(await followed.next()).toMatchObject({ done: true })
})

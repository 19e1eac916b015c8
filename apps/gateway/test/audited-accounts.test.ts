import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { createRedis } from '@saoma/redis'
import { onCleanup, startRedis } from '@saoma/testing'
import { noteAccounts } from '../src/login/audited-accounts.ts'
import { because } from '../src/login/end-cause.ts'

const SECRET = 'a secret of tests, which nobody keeps'
const OPERATOR = { by: 'operator', ip: '192.0.2.7' }
const PHONE = { by: 'saoma', reason: 'refresh-token-reused', ip: '198.51.100.7', os: 'iOS 18' }
const asOperator = <T>(act: () => T): T => because(() => OPERATOR, act)

const open = async () => {
  const { url } = await startRedis()
  const redis = await createRedis({ url, probeMs: 0 })
  const keys = await openAccountKeys(redis, { secrets: [SECRET] })
  const audit = createAudit(redis, { node: 'a', secrets: [SECRET], entries: 10_000, keepMs: 3_600_000 })
  onCleanup(async () => {
    await audit.close()
    keys.close()
    await redis.close()
  })
  const entries = async (person: string) => {
    await audit.flush()
    const page = await audit.read({ person, order: 'oldest' })
    return page.ok ? page.value.entries : []
  }
  return { accounts: noteAccounts(createAccounts(redis, keys), audit), entries, forget: audit.forget }
}
const somebody = (id: string) => ({ provider: 'wechat', app: 'wx1', id }) as const

test('it is noted what becomes of an account, by whom, and nothing twice', async () => {
  const { accounts, entries } = await open()
  const ann = somebody('oAnn')
  const met = await because(
    () => PHONE,
    () => accounts.of(ann),
  )
  if (!met.allow) throw new Error(met.why)
  const { sub } = met
  await accounts.of(ann)
  await asOperator(async () => {
    await accounts.link(sub, somebody('oAnn2'))
    await accounts.unlink(sub, somebody('oAnn2'))
    await accounts.setState(sub, 'disabled')
  })
  for (let i = 0; i < 3; i++) expect(await accounts.of(ann)).toMatchObject({ allow: false, why: 'ACCOUNT_DISABLED' })
  await asOperator(() => accounts.setState(sub, 'active'))
  const all = await entries(sub)
  expect(all.map(({ kind, by, reason, ip }) => [kind, by, reason, ip])).toEqual([
    ['account.created', undefined, undefined, PHONE.ip],
    ['account.linked', 'operator', undefined, OPERATOR.ip],
    ['account.unlinked', 'operator', undefined, OPERATOR.ip],
    ['account.disabled', 'operator', undefined, OPERATOR.ip],
    ['account.refused', undefined, 'ACCOUNT_DISABLED', undefined],
    ['account.enabled', 'operator', undefined, OPERATOR.ip],
  ])
  expect(await entries('nobody')).toEqual([])
  expect(await accounts.setState('nobody', 'disabled')).toBe(false)
  expect(await entries('nobody')).toEqual([])
})

test('it is noted once that an account was deleted, and that stays when the person is forgotten', async () => {
  const { accounts, entries, forget } = await open()
  const bob = somebody('oBob')
  const met = await accounts.of(bob)
  if (!met.allow) throw new Error(met.why)
  await accounts.setState(met.sub, 'disabled')
  expect(await entries(met.sub)).toHaveLength(2)
  for (let i = 0; i < 2; i++) expect(await asOperator(() => accounts.remove(met.sub))).toBe(true)
  await forget(met.sub)
  expect(await entries(met.sub)).toMatchObject([{ kind: 'account.deleted', ...OPERATOR }])
  // Who comes again is somebody else.
  const anew = await accounts.of(bob)
  if (!anew.allow) throw new Error(anew.why)
  expect(await entries(anew.sub)).toMatchObject([{ kind: 'account.created' }])
  expect(await accounts.remove('nobody')).toBe(false)
})

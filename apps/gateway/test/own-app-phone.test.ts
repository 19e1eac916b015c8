import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TOKEN_EXCHANGE_GRANT } from '@saoma/protocol'
import {
  createTicket,
  plainEnv,
  redeem,
  request,
  scan,
  startGateway,
  startProcess,
  testAdminKey,
  until,
} from '@saoma/testing'
import { json, startBusinessServer } from './business-server.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds } from './jwt-signer.ts'
import { claimsOf, expectRefused, personOf, STRICT, startOwnAppStage, type Told } from './own-app-stage.ts'

/* An honest app of the company, and what people and operators do. */

const LEVEL = 'https://shop.example.com/level'

const stage = await startOwnAppStage()
const { cluster, nodeA, nodeB, byTurns, file, first, strict, publish, issuers, writeIssuers } = stage
const { appOf, sign, exchange, createKey } = stage

describe('an honest app', () => {
  test('confirms a login, each step on the other node, and ends it', async () => {
    const app = await appOf('ana', byTurns())
    const code = await createTicket(cluster.origin)
    expect(code.verification_uri_complete).toBe(`${cluster.origin}/l/${code.ticket}`)
    const exchanged = await app.exchange()
    expect(exchanged).toMatchObject({
      status: 200,
      body: {
        token_type: 'DPoP',
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        expires_in: 600,
        scope: 'openid',
      },
    })
    expect(claimsOf(exchanged.body.access_token)).toMatchObject({ client_id: 'phone', aud: `${cluster.origin}/v1` })
    const scanned = await app.scan(code.ticket)
    expect(scanned.body).toMatchObject({ request: { app: 'Acme' }, state: { status: 'scanned' } })
    expect(await app.confirm(code.ticket)).toMatchObject({ status: 200, body: { state: { status: 'confirmed' } } })
    const { body: tokens } = await redeem(nodeB(), code.device_code)
    const { sub } = claimsOf(exchanged.body.access_token)
    expect(claimsOf(tokens.id_token).sub).toBe(sub)

    const { sessions: logins } = (await app.logins()).body as { sessions: { sid: string }[] }
    expect(await app.end(logins[0]?.sid ?? '')).toMatchObject({ status: 200, body: { ended: 1 } })
    // The same person, with another key, is the same account.
    const again = await (await appOf('ana')).exchange()
    expect(claimsOf(again.body.access_token).sub).toBe(sub)
    const other = await (await appOf('ben')).exchange()
    expect(claimsOf(other.body.access_token).sub).not.toBe(sub)
  })

  test('declines', async () => {
    const app = await appOf('ana', byTurns())
    const { ticket } = await createTicket(cluster.origin)
    await app.exchange()
    await app.scan(ticket)
    expect(await app.reject(ticket)).toMatchObject({ status: 200, body: { state: { status: 'rejected' } } })
  })

  test('gives a person a name, which it may change, and leaves what else is known', async () => {
    const admin = async (sub: unknown) =>
      (
        await request<{ claims: object; identities: object[] }>(
          `${cluster.nodes[0]?.internalOrigin}/v1/admin/accounts/${sub}`,
          { bearer: testAdminKey },
        )
      ).body
    const sub = personOf(await exchange(await sign({ sub: 'cyd', nickname: 'Cyd' })))
    const identities = [{ provider: 'app', app: 'shop', id: 'cyd' }]
    expect(await admin(sub)).toMatchObject({ claims: { name: 'Cyd' }, identities })
    expect(personOf(await exchange(await sign({ sub: 'cyd', nickname: 'Cydney' })))).toBe(sub)
    expect(await admin(sub)).toMatchObject({ claims: { name: 'Cydney' } })
    // A name that an account cannot have is no reason to refuse somebody.
    expect(personOf(await exchange(await sign({ sub: 'cyd', nickname: { not: 'a name' } })))).toBe(sub)
    expect(await admin(sub)).toMatchObject({ claims: { name: 'Cydney' } })
  })

  test('has people with long numbers', async () => {
    const claims = (id: string) =>
      `{"iss":"${ISSUER}","aud":"${AUDIENCE}","sub":${id},"jti":"${randomUUID()}","iat":${inSeconds(0)},"exp":${inSeconds(60)}}`
    const one = personOf(await exchange(await first.signText(claims('9007199254740993'))))
    const other = personOf(await exchange(await first.signText(claims('9007199254740992'))))
    expect(one).not.toBe(other)
    expect(personOf(await exchange(await sign({ sub: '9007199254740993' })))).toBe(one)
    expectRefused(await exchange(await first.signText(claims('0'))), 'names the person')
  })

  test('goes on when a node is killed in the middle', async () => {
    const app = await appOf('dan')
    const code = await createTicket(cluster.origin)
    await app.exchange()
    await cluster.nodes[0]?.kill()
    const patient = (step: () => Promise<Told>) =>
      until(
        () => step().catch(() => ({ status: 0, body: {} })),
        ({ status }) => status === 200,
      )
    expect((await patient(() => app.scan(code.ticket))).body).toMatchObject({ state: { status: 'scanned' } })
    await cluster.nodes[0]?.restart()
    await cluster.nodes[1]?.kill()
    // Its token is as good at a node that was not there when it was given.
    await patient(() => app.confirm(code.ticket))
    await cluster.nodes[1]?.restart()
    await until(
      () => redeem(cluster.origin, code.device_code),
      ({ status }) => status === 200,
    )
    await patient(() => app.exchange())
  })
})

describe('people and operators', () => {
  const acts = (sub: unknown, act: string) =>
    request(`${cluster.nodes[1]?.internalOrigin}/v1/admin/accounts/${sub}${act}`, {
      method: act ? 'POST' : 'DELETE',
      bearer: testAdminKey,
      ...(act ? { json: {} } : {}),
    })

  test('a disabled account gets no phone, and its phone scans nothing', async () => {
    const { body } = await exchange(await sign({ sub: 'gus' }))
    const { sub } = claimsOf(body.access_token)
    expect((await acts(sub, '/disable')).status).toBeLessThan(300)
    const answer = await exchange(await sign({ sub: 'gus' }))
    expect([answer.status, answer.body.error, answer.body.code]).toEqual([403, 'access_denied', 'ACCOUNT_DISABLED'])
    const { ticket } = await createTicket(cluster.origin)
    expect(await scan(cluster.origin, ticket, body.access_token ?? '')).toMatchObject({
      body: { code: 'ACCOUNT_DISABLED' },
    })
    expect((await acts(sub, '/enable')).status).toBeLessThan(300)
    expect(personOf(await exchange(await sign({ sub: 'gus' })))).toBe(sub)
  })

  test('who was deleted is somebody new, and the phone of before is nobody', async () => {
    const { body } = await exchange(await sign({ sub: 'hal' }))
    const { sub } = claimsOf(body.access_token)
    await until(
      () => acts(sub, ''),
      ({ status }) => status < 300,
    )
    const { ticket } = await createTicket(cluster.origin)
    expect(await scan(cluster.origin, ticket, body.access_token ?? '')).toMatchObject({
      status: 401,
      body: { code: 'REVOKED' },
    })
    expect(personOf(await exchange(await sign({ sub: 'hal' })))).not.toBe(sub)
  })

  test('the business is asked who somebody is, and may choose the sub or refuse', async () => {
    const business = await startBusinessServer((res, { body }) => {
      const { id } = body.identity as { id: string }
      const no = { allow: false, detail: 'Your contract has ended.' }
      json(id === 'ida' ? { allow: true, sub: 'emp-17', claims: { name: 'Ida', [LEVEL]: 3 } } : no)(res, {
        ...{ path: '', headers: {}, body },
      })
    })
    const node = await startGateway({
      redisUrl: cluster.redis.url,
      nodeId: 'hook',
      origin: cluster.origin,
      env: {
        ...{ SAOMA_DEMO: 'false', SAOMA_PHONE_ISSUERS: file, SAOMA_ACCOUNT_CLAIMS: LEVEL },
        ...{
          SAOMA_ACCOUNT_URL: business.url,
          SAOMA_ACCOUNT_SECRET: 'a secret of sixteen',
          SAOMA_ACCOUNT_WHEN: 'login',
        },
      },
    })
    const at = { node: node.origin }
    expect(personOf(await exchange(await sign({ sub: 'ida', nickname: 'Not Ida' }), {}, at))).toBe('emp-17')
    const refused = await exchange(await sign({ sub: 'jim' }), {}, at)
    expect({ status: refused.status, ...refused.body }).toMatchObject({
      ...{ status: 403, error: 'access_denied', code: 'ACCOUNT_REFUSED', detail: 'Your contract has ended.' },
    })
    const identity = { provider: 'app', app: 'shop', id: 'ida' }
    expect(business.questions[0]?.body).toEqual({ action: 'birth', identity })
    const { body } = await request(`${node.internalOrigin}/v1/admin/accounts/emp-17`, { bearer: testAdminKey })
    expect(body).toMatchObject({ claims: { name: 'Ida', [LEVEL]: 3 } })
    await node.stop()
  })

  test('people of an app are imported beside those of WeChat', async () => {
    const people = join(file, '../people.jsonl')
    const lines = [
      { provider: 'app', app: 'shop', id: 'kim', sub: 'emp-18', claims: { name: 'Kim' } },
      { provider: 'app', app: 'nobody', id: 'kim', sub: 'emp-18' },
      { id: 'oKim', sub: 'emp-18' },
    ]
    await writeFile(people, lines.map((line) => JSON.stringify(line)).join('\n'))
    const run = await startProcess({
      name: 'accounts import',
      command: process.execPath,
      args: [fileURLToPath(new URL('../src/bin/accounts.ts', import.meta.url)), 'import', people],
      env: {
        ...plainEnv(),
        ...{ SAOMA_ORIGIN: cluster.origin, SAOMA_SECRET: 'a secret of tests, which nobody keeps' },
        ...{
          REDIS_URL: cluster.redis.url,
          SAOMA_PHONE_ISSUERS: file,
          WECHAT_APPID: 'wx1',
          WECHAT_SECRET: 'y'.repeat(32),
        },
      },
    })
    await run.exited
    const said = run.lines.map(({ text }) => text)
    expect(said).toContainEqual(expect.stringMatching(/^line 2: app does not fit/))
    expect(said.at(-1)).toMatch(/1 new, 1 added to an account, 0 known, 1 bad/)
    expect(personOf(await exchange(await sign({ sub: 'kim' })))).toBe('emp-18')
  })

  test('the audit has each phone that was admitted, and misuse of tokens', async () => {
    const token = await sign({ sub: 'lea' })
    const sub = personOf(await exchange(token))
    await exchange(token)
    const entries = async (query: string) =>
      (
        await request<{ entries: Record<string, unknown>[] }>(
          `${cluster.nodes[0]?.internalOrigin}/v1/admin/audit?${query}`,
          { bearer: testAdminKey },
        )
      ).body.entries
    const admitted = await until(
      () => entries(`person=${sub}&kind=phone.admitted`),
      (all) => all.length === 1,
    )
    expect(admitted[0]).toMatchObject({ app: 'shop', client: 'phone', ip: '127.0.0.1', person: sub })
    const refused = await until(
      () => entries('kind=phone.refused'),
      (all) => all.some(({ reason }) => reason === 'used'),
    )
    expect(refused.find(({ reason }) => reason === 'used')).toMatchObject({ client: 'phone', ip: '127.0.0.1' })
  })

  test('a mistake in the file changes nothing, and a new issuer needs no restart', async () => {
    const problemsOn = () =>
      until(
        async () =>
          cluster.nodes.map(({ lines }) => lines.findLast(({ json: line }) => line?.event === 'phone-issuers')?.json),
        (found) => found.every((line) => line !== undefined),
      )
    const text = JSON.stringify(issuers, undefined, 1)
    await writeIssuers(text.replace('"audience"', '"audiences": 1,\n  "audience"'))
    for (const line of await problemsOn())
      expect(line?.problems).toEqual(['line 6: audiences is no member of an issuer'])
    personOf(await exchange(await sign()))

    const late = 'https://late.business.example'
    await writeIssuers(JSON.stringify([...issuers, { ...issuers[1], name: 'late', issuer: late }]))
    for (const node of [nodeA(), nodeB()])
      await until(
        async () => exchange(await sign({ iss: late }), {}, { node }),
        ({ status }) => status === 200,
      )
    await writeIssuers(text)
    for (const node of [nodeA(), nodeB()])
      await until(
        async () => exchange(await sign({ iss: late }), {}, { node }),
        ({ status, body }) => status === 400 && /issuer is not known/.test(body.error_description ?? ''),
      )
  })

  test('keys are rotated: the next one is taken, the former one is not any more', async () => {
    const next = await createJwtSigner('next')
    await publish(first.jwk, next.jwk)
    for (const node of [nodeA(), nodeB()]) {
      await until(
        async () => exchange(await next.sign({ jti: randomUUID() }), {}, { node }),
        ({ status }) => status === 200,
      )
      personOf(await exchange(await sign(), {}, { node }))
    }
    await publish(next.jwk)
    for (const node of [nodeA(), nodeB()])
      await until(
        async () => exchange(await sign(), {}, { node }),
        ({ status }) => status === 400,
      )
    personOf(await exchange(await next.sign({ jti: randomUUID() })))
    await publish(first.jwk)
  })

  test('without Redis the answer says when to come again, and nothing is spent', async () => {
    const token = await strict.sign({ iss: STRICT, uid: 'max', jti: randomUUID() })
    const key = await createKey()
    await cluster.redis.kill()
    const answer = await exchange(token, {}, { dpop: await key.prove('POST', '/oidc/token') })
    expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    await cluster.redis.restart()
    await until(
      async () => exchange(token, {}, { dpop: await key.prove('POST', '/oidc/token') }),
      ({ status }) => status === 200,
    )
  })
})

test('without issuers there is no such grant', async () => {
  const node = await startGateway({
    redisUrl: cluster.redis.url,
    nodeId: 'none',
    origin: cluster.origin,
    env: { SAOMA_ORIGIN: cluster.origin },
  })
  const answer = await exchange(await sign(), {}, { node: node.origin })
  expect([answer.status, answer.body.error]).toEqual([400, 'unsupported_grant_type'])
  const { body } = await request<{ grant_types_supported: string[] }>(
    `${node.origin}/oidc/.well-known/openid-configuration`,
  )
  expect(body.grant_types_supported).not.toContain(TOKEN_EXCHANGE_GRANT)
})

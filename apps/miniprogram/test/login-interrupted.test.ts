import { createRedis } from '@saoma/redis'
import { onCleanup, phoneToken, redeem, reject } from '@saoma/testing'
import { createStage, decisions } from './login-stage.ts'
import { losing, scanned } from './phone.ts'

/* A login on a phone that goes to the background, loses its network, or loses an answer. */

const stage = createStage()
const { ask, asking, phone, statusOf } = stage

describe('away for 30 s', () => {
  test('with the question open: it is checked and goes on', async () => {
    const { ticket, deviceCode, owner, login, question } = await asking('Ana')
    owner.device.background()
    owner.device.foreground()
    const { question: later } = await login.when(
      ({ screen }) => screen.status === 'asking' && screen.question !== question && screen,
    )
    expect(owner.asked()).toEqual([`tickets/${ticket}/scan`, `tickets/${ticket}/scan`])
    expect(later.ticket).toBe(ticket)
    login.page.confirm()
    await login.reaches('confirmed')
    expect(await statusOf(deviceCode)).toBe('confirmed')
  })

  test('while the code is read: it is read on return', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana')
    const login = owner.login(scanned(ticket))
    owner.device.background()
    expect(login.page.screen.status).toBe('opening')
    owner.device.foreground()
    await login.reaches('asking')
  })

  test('while the answer is on its way: the same answer is sent again', async () => {
    const { deviceCode, owner, login } = await asking('Ana')
    login.page.confirm()
    owner.device.background()
    owner.device.foreground()
    await login.reaches('confirmed')
    expect(new Set(decisions(owner.asked()))).toEqual(new Set(['confirm']))
    expect(await statusOf(deviceCode)).toBe('confirmed')
  })

  test('past the deadline: the request has expired and nobody is asked', async () => {
    const { owner, login } = await asking('Ana')
    const before = owner.asked().length
    owner.device.background(61_000)
    owner.device.foreground()
    await login.reaches('expired')
    expect(owner.asked()).toHaveLength(before)
  })

  test('after a decision on another phone of the person: it says so', async () => {
    const { ticket, owner, login } = await asking('Ana')
    owner.device.background()
    expect((await reject(stage.cluster.origin, ticket, await phoneToken(stage.cluster.origin, 'Ana'))).status).toBe(200)
    owner.device.foreground()
    expect(await login.reaches('settled')).toEqual({ status: 'settled' })
  })

  test('after the decision: the scene of the launch begins nothing new', async () => {
    const { owner, login } = await asking('Ana')
    login.page.decline()
    await login.reaches('declined')
    const before = owner.device.requests.length
    owner.device.background()
    owner.device.foreground()
    owner.device.foreground()
    expect(login.page.screen).toEqual({ status: 'declined' })
    expect(owner.device.requests).toHaveLength(before)
  })
})

describe('without a network', () => {
  test('before the scan: it goes on automatically when the network is back', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana')
    owner.device.offline()
    const login = owner.login(scanned(ticket))
    await login.reaches('offline')
    owner.device.online()
    expect((await login.reaches('asking')).question.ticket).toBe(ticket)
  })

  test('before the answer: it is kept and sent when the network is back', async () => {
    const { deviceCode, owner, login } = await asking('Ana')
    owner.device.offline()
    login.page.confirm()
    await login.reaches('offline')
    login.page.decline()
    owner.device.online()
    await login.reaches('confirmed')
    expect(await statusOf(deviceCode)).toBe('confirmed')
    expect(decisions(owner.asked())).not.toContain('reject')
  })

  test('a manual retry without a network stays offline', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana')
    owner.device.offline()
    const login = owner.login(scanned(ticket))
    await login.reaches('offline')
    login.page.retry()
    expect(login.page.screen.status).toBe('opening')
    await login.reaches('offline')
  })
})

describe('the answer to a confirmation is lost', () => {
  test('before the browser goes on: the answer is sent again and confirmed', async () => {
    const { deviceCode, owner, login } = await asking('Ana', { wrap: losing('/confirm') })
    login.page.confirm()
    await login.reaches('confirmed')
    expect(decisions(owner.asked())).toEqual(['confirm', 'confirm'])
    expect(await statusOf(deviceCode)).toBe('confirmed')
  })

  test('after the browser has gone on: it is settled, and perhaps by this confirmation', async () => {
    let deviceCode = ''
    const made = await asking('Ana', { wrap: losing('/confirm', () => redeem(stage.cluster.origin, deviceCode)) })
    deviceCode = made.deviceCode
    made.login.page.confirm()
    expect(await made.login.reaches('settled')).toEqual({ status: 'settled', answered: 'confirm' })
  })

  test('after the server forgot the login: the confirmation may still have counted', async () => {
    const redis = await createRedis({ url: stage.cluster.redis.url, probeMs: 0 })
    onCleanup(() => redis.close())
    let ticket = ''
    const forget = () => redis.data.del(redis.keys.ticket(ticket))
    const made = await asking('Ana', { wrap: losing('/confirm', forget) })
    ticket = made.ticket
    made.login.page.confirm()
    expect(await made.login.reaches('settled')).toEqual({ status: 'settled', answered: 'confirm' })
  })

  test('if it was a refusal: it is sent again and declined', async () => {
    const { owner, login } = await asking('Ana', { wrap: losing('/reject') })
    login.page.decline()
    await login.reaches('declined')
    expect(decisions(owner.asked())).toEqual(['reject', 'reject'])
  })
})

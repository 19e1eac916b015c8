import { decodeClaims } from '@saoma/client'
import {
  type Cluster,
  connectLive,
  freePort,
  phoneToken,
  publish,
  refresh,
  shopSettings,
  startCluster,
  startShop,
  until,
  webToken,
} from '@saoma/testing'
import type { DevicesPage } from '../src/logic/devices-screen.ts'
import type { MessagesPage, MessagesScreen } from '../src/logic/messages-screen.ts'
import type { TablePage, TableScreen } from '../src/logic/table-screen.ts'
import { losing, type Phone, type PhoneOptions, type Shown, show, startPhone } from './phone.ts'

let cluster: Cluster

beforeAll(async () => {
  const port = await freePort()
  cluster = await startCluster({ nodes: 2, ...shopSettings(port) })
  await startShop({ origin: cluster.origin, port })
})

/** Its nodes are reached through nginx, as the shop is. */
const phone = (person: string, options: PhoneOptions = {}): Phone =>
  startPhone(cluster, person, { node: Number.NaN, ...options })
const nodeA = () => cluster.nodes[0]?.origin ?? ''

describe('my devices', () => {
  const listed = ({ screen }: DevicesPage) => screen.status === 'listed' && !screen.refreshing && screen
  const sidOf = (token: string) => decodeClaims(token)?.sid ?? ''

  test('a login ended on the phone loses its socket on the other node and its refresh token', async () => {
    const [web, other] = [await webToken(cluster.origin, 'Dora'), await webToken(cluster.origin, 'Dora')]
    const browser = connectLive(nodeA(), { token: web.access_token })
    const untouched = connectLive(nodeA(), { token: other.access_token })
    await Promise.all([browser.next('connect'), untouched.next('connect')])

    const { page, when } = show(phone('Dora', { node: 1 }).program.devices)
    const before = await when(listed)
    expect(before.devices.map(({ sid }) => sid)).toEqual([sidOf(other.access_token), sidOf(web.access_token)])
    expect(before.devices[0]).toMatchObject({ client: 'web', ip: '127.0.0.1', current: false, ending: false })

    const ending = page.end(sidOf(web.access_token))
    expect(page.screen).toMatchObject({ devices: [{ ending: false }, { ending: true }] })
    expect(await browser.next('ended')).toMatchObject({ code: 'REVOKED' })
    await ending
    expect(page.screen).toMatchObject({ devices: [{ sid: sidOf(other.access_token), ending: false }] })
    expect(await refresh(cluster.origin, web.refresh_token)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })

    expect(await untouched.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
    expect((await refresh(cluster.origin, other.refresh_token)).status).toBe(200)
  })

  test('all logins are ended at once', async () => {
    const tokens = [await webToken(cluster.origin, 'Emil'), await webToken(cluster.origin, 'Emil')]
    const browsers = tokens.map(({ access_token: token }, i) => connectLive(cluster.nodes[i]?.origin ?? '', { token }))
    await Promise.all(browsers.map((browser) => browser.next('connect')))
    const { page, when } = show(phone('Emil').program.devices)
    expect((await when(listed)).devices).toHaveLength(2)
    await page.endAll()
    expect(page.screen).toMatchObject({ status: 'listed', devices: [], endingAll: false })
    for (const browser of browsers) expect(await browser.next('ended')).toMatchObject({ code: 'REVOKED' })
    for (const { refresh_token: token } of tokens) expect((await refresh(cluster.origin, token)).status).toBe(400)
  })

  // It was ended elsewhere, or the answer was lost.
  test('a login that is already over is gone', async () => {
    const { access_token: token } = await webToken(cluster.origin, 'Fay')
    const { page, when } = show(phone('Fay', { wrap: losing(`/v1/sessions/${sidOf(token)}`) }).program.devices)
    await when(listed)
    await page.end(sidOf(token))
    expect(page.screen).toEqual({ status: 'listed', devices: [], refreshing: false, endingAll: false })
  })

  test('a login that could not be ended without a network stays and says so', async () => {
    const { access_token: token } = await webToken(cluster.origin, 'Gus')
    const owner = phone('Gus')
    const { page, when } = show(owner.program.devices)
    await when(listed)
    owner.device.offline()
    await page.end(sidOf(token))
    expect(page.screen).toMatchObject({ devices: [{ sid: sidOf(token), ending: false }], error: 'NETWORK' })
    owner.device.online()
    expect(await when((shown) => listed(shown))).not.toHaveProperty('error')
  })

  test('a failure to end a login survives a list that was requested earlier', async () => {
    const { access_token: token } = await webToken(cluster.origin, 'Gil')
    let release: (() => void) | undefined
    let isSlow = false
    const slow: PhoneOptions['wrap'] = (wx) => ({
      ...wx,
      request: (asked) => {
        if (asked.method === 'DELETE') return wx.request({ ...asked, url: `${cluster.origin}/v1/nothing` })
        if (!isSlow) return wx.request(asked)
        release = () => void wx.request(asked)
        return { abort: () => {} }
      },
    })
    const { page, when } = show(phone('Gil', { wrap: slow }).program.devices)
    await when(listed)
    isSlow = true
    const refreshed = page.refresh()
    const ended = page.end(sidOf(token))
    await when(({ screen }) => screen.status === 'listed' && screen.error)
    await until(
      async () => release,
      (isAsked) => isAsked !== undefined,
    )
    isSlow = false
    release?.()
    await Promise.all([refreshed, ended])
    expect(page.screen).toMatchObject({ refreshing: false, devices: [{ sid: sidOf(token) }], error: 'NOT_FOUND' })
  })

  test('without a network there is no list, and with the network it arrives', async () => {
    const owner = phone('Hana')
    owner.device.offline()
    const { when } = show(owner.program.devices)
    expect(await when(({ screen }) => screen.status === 'failed' && screen)).toEqual({
      status: 'failed',
      code: 'NETWORK',
    })
    owner.device.online()
    expect((await when(listed)).devices).toEqual([])
  })
})

describe('messages', () => {
  type Ready = Extract<MessagesScreen, { status: 'ready' }>
  const ready =
    (wanted: (screen: Ready) => boolean) =>
    ({ screen }: MessagesPage) =>
      screen.status === 'ready' && wanted(screen) && screen
  const open = (person: string) => {
    const owner = phone(person)
    return { owner, ...show(owner.program.messages) }
  }
  const userOf = async (person: string) => decodeClaims(await phoneToken(cluster.origin, person))?.sub ?? ''
  const tell = async (user: string, text: string) => {
    const message = { channel: `user:${user}`, event: 'notice', data: { text } }
    expect((await publish(cluster.origin, message)).status).toBe(200)
  }

  test('old and new messages are shown newest first and are read on all phones at once', async () => {
    const user = await userOf('Ida')
    await tell(user, 'one')
    const [first, second] = [open('Ida'), open('Ida')]
    await first.when(ready(({ notices, unread }) => notices.length === 1 && unread === 1))
    await tell(user, 'two')
    for (const { when } of [first, second]) {
      const { notices } = await when(ready(({ unread }) => unread === 2))
      expect(notices.map(({ text, isRead }) => [text, isRead])).toEqual([
        ['two', false],
        ['one', false],
      ])
    }
    await first.page.markRead(1)
    for (const { when } of [first, second]) {
      const { notices } = await when(ready(({ unread }) => unread === 1))
      expect(notices.map(({ isRead }) => isRead)).toEqual([false, true])
    }
    await second.page.markRead()
    for (const { when } of [first, second]) await when(ready(({ unread }) => unread === 0))
  })

  test('messages from 30 s in the background are there at the return, once', async () => {
    const user = await userOf('Jon')
    const { owner, when } = open('Jon')
    await when(ready(({ connection }) => connection === 'socket'))
    await tell(user, 'before')
    await when(ready(({ unread }) => unread === 1))
    owner.device.background()
    await tell(user, 'meanwhile')
    owner.device.foreground()
    const { notices } = await when(ready(({ unread }) => unread === 2))
    expect(notices.map(({ text }) => text)).toEqual(['meanwhile', 'before'])
    await when(ready(({ connection }) => connection === 'socket'))
    await tell(user, 'after')
    await when(ready(({ notices: later }) => later.map(({ text }) => text).join() === 'after,meanwhile,before'))
  })

  test('the page reports a lost network and misses nothing when it returns', async () => {
    const user = await userOf('Kim')
    const { owner, page, when } = open('Kim')
    await when(ready(({ connection }) => connection === 'socket'))
    owner.device.offline()
    await when(ready(({ connection }) => connection === 'offline'))
    await tell(user, 'meanwhile')
    owner.device.online()
    await when(ready(({ notices }) => notices[0]?.text === 'meanwhile'))
    expect(page.screen).not.toHaveProperty('error')
  })

  // WeChat copies the whole list for each change.
  test('many messages at once cause few changes', async () => {
    const user = await userOf('Ned')
    await Promise.all(Array.from({ length: 40 }, (_, i) => tell(user, `${i}`)))
    const { program } = phone('Ned')
    let changes = 0
    const { when } = show((onChange) =>
      program.messages(() => {
        changes++
        onChange()
      }),
    )
    await when(ready(({ notices }) => notices.length === 40))
    expect(changes).toBeLessThan(20)
  })

  test('a message of an unknown kind is shown as a message', async () => {
    const user = await userOf('Lea')
    await publish(cluster.origin, { channel: `user:${user}`, event: 'odd', data: [{ text: 1 }] })
    const { when } = open('Lea')
    expect((await when(ready(({ unread }) => unread === 1))).notices[0]?.text).toBeUndefined()
  })

  test('a mini-program opened only for a login has no socket', async () => {
    const owner = phone('Max')
    await owner.login({ scene: 'x'.repeat(22), launchScene: 1047 }).reaches('not-found')
    expect(owner.device.sockets).toBe(0)
  })
})

describe('a table', () => {
  type Ready = Extract<TableScreen, { status: 'ready' }>
  const ready =
    (wanted: (screen: Ready) => boolean) =>
    ({ screen }: TablePage) =>
      screen.status === 'ready' && wanted(screen) && screen
  const sit = async (person: string, table: string): Promise<Shown<TablePage> & { owner: Phone }> => {
    const owner = phone(person)
    const shown = show((onChange) => owner.program.table(table, onChange))
    await shown.when(ready(({ connection }) => connection === 'socket'))
    return { owner, ...shown }
  }
  const quantityOf = ({ lines }: Ready, dish: string) => lines.find((line) => line.dish === dish)?.quantity ?? 0

  test('each phone sees the orders of the other, with the person, and a tap counts at once', async () => {
    const [ana, ben] = [await sit('Ana', '1'), await sit('Ben', '1')]
    const done = ana.page.edit({ kind: 'quantity', dish: 'rice', delta: 2 })
    expect(ana.page.screen).toMatchObject({
      menu: expect.arrayContaining([expect.objectContaining({ id: 'rice', quantity: 2 })]),
    })
    const seen = await ben.when(ready((screen) => quantityOf(screen, 'rice') === 2))
    expect(seen).toMatchObject({
      total: 600,
      lines: [{ name: '米饭', price: 300, by: expect.stringMatching(/^#.{4}$/) }],
    })
    expect(seen.feed).toHaveLength(1)
    await done
    await ben.page.edit({ kind: 'quantity', dish: 'rice', delta: 1 })
    expect(quantityOf(await ana.when(ready((screen) => quantityOf(screen, 'rice') >= 3)), 'rice')).toBe(3)
  })

  test('the second writer of a note for one dish is asked which to keep', async () => {
    const [ana, ben] = [await sit('Ana', '2'), await sit('Ben', '2')]
    await ana.page.edit({ kind: 'quantity', dish: 'mapo', delta: 1 })
    await ben.when(ready((screen) => quantityOf(screen, 'mapo') === 1))
    await Promise.all([
      ana.page.edit({ kind: 'note', dish: 'mapo', note: 'hot' }),
      ben.page.edit({ kind: 'note', dish: 'mapo', note: 'mild' }),
    ])
    const asked = [ana, ben].find(({ page }) => page.screen.status === 'ready' && page.screen.conflict)
    const mine = asked === ana ? 'hot' : 'mild'
    expect(asked?.page.screen).toMatchObject({
      conflict: { dish: 'mapo', mine, theirs: mine === 'hot' ? 'mild' : 'hot' },
    })
    await asked?.page.resolve(true)
    for (const { when } of [ana, ben]) await when(ready(({ lines, conflict }) => !conflict && lines[0]?.note === mine))
  })

  test('an edit whose answer was lost happens once', async () => {
    const owner = phone('Ana', { wrap: losing('/edits') })
    const { page, when } = show((onChange) => owner.program.table('3', onChange))
    await when(ready(() => true))
    await page.edit({ kind: 'quantity', dish: 'tea', delta: 1 })
    expect(await when(ready(() => true))).toMatchObject({ lines: [{ dish: 'tea', quantity: 1 }] })
  })

  test('an order in the kitchen is not changed, and the page says why', async () => {
    const [ana, ben] = [await sit('Ana', '4'), await sit('Ben', '4')]
    await ana.page.edit({ kind: 'quantity', dish: 'tea', delta: 1 })
    await ana.page.edit({ kind: 'place' })
    await ben.when(ready(({ isPlaced }) => isPlaced))
    await ben.page.edit({ kind: 'quantity', dish: 'tea', delta: 1 })
    expect(ben.page.screen).toMatchObject({ refusal: 'PLACED', lines: [{ quantity: 1 }] })
  })

  test('the slip is complete on return after 30 s away', async () => {
    const [ana, ben] = [await sit('Ana', '5'), await sit('Ben', '5')]
    ana.owner.device.background()
    await ben.page.edit({ kind: 'quantity', dish: 'tea', delta: 1 })
    await ben.page.edit({ kind: 'quantity', dish: 'rice', delta: 1 })
    ana.owner.device.foreground()
    const { lines } = await ana.when(ready(({ lines }) => lines.map(({ dish }) => dish).join() === 'tea,rice'))
    expect(lines.map(({ quantity }) => quantity)).toEqual([1, 1])
  })

  test('a connection that the server refused is made again on request', async () => {
    let isRefused = false
    const refusing: PhoneOptions['wrap'] = (wx) => ({
      ...wx,
      request: (asked) =>
        wx.request(
          isRefused && asked.url.endsWith('/oidc/token') ? { ...asked, url: `${cluster.origin}/nothing` } : asked,
        ),
    })
    const owner = phone('Ana', { wrap: refusing })
    const { page, when } = show((onChange) => owner.program.table('6', onChange))
    await when(ready(({ connection }) => connection === 'socket'))
    isRefused = true
    owner.device.background(700_000)
    owner.device.foreground()
    await when(ready(({ connection }) => connection === 'ended'))
    isRefused = false
    page.retry()
    await when(ready(({ connection }) => connection === 'socket'))
    expect(page.screen).toMatchObject({ status: 'ready', connection: 'socket' })
  })

  test('a shop that does not know of an edit is asked a few times, and then its slip is shown', async () => {
    const ben = await sit('Ben', '7')
    const answers: Promise<void>[] = []
    let old: unknown
    const forgetful: PhoneOptions['wrap'] = (wx) => ({
      ...wx,
      request: (asked) => {
        if (!asked.url.endsWith('/shop/tables/7')) return wx.request(asked)
        return wx.request({
          ...asked,
          success: (answer) => {
            old ??= answer.data
            // It was read before the change, which is heard of before it is answered.
            answers[0] ??= ben.page.edit({ kind: 'quantity', dish: 'tea', delta: 1 }).then(() => heard.promise)
            void answers[0].then(() => asked.success?.({ ...answer, data: old }))
          },
        })
      },
    })
    const owner = phone('Ana', { wrap: forgetful })
    const heard = Promise.withResolvers<void>()
    const { when } = show((onChange) =>
      owner.program.table('7', () => {
        if (answers.length > 0) heard.resolve()
        onChange()
      }),
    )
    await when(ready(({ connection }) => connection === 'socket'))
    const reads = owner.device.requests.filter(({ url }) => url.endsWith('/shop/tables/7'))
    expect(reads.length).toBeLessThan(4)
  })

  test('the shop refuses a table that does not exist', async () => {
    const { when } = show((onChange) => phone('Ana').program.table('0', onChange))
    expect(await when(({ screen }) => screen.status === 'failed' && screen)).toMatchObject({ code: 'NOT_FOUND' })
  })
})

import {
  attemptTicket,
  type Cluster,
  confirm,
  phoneToken,
  redeem,
  reject,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

let cluster: Cluster
let alice: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  alice = await phoneToken(cluster.origin, 'alice')
})

interface Browser {
  ticket: string
  deviceCode: string
  cookie: string
}

/** A browser that asked for a ticket keeps the cookie that came with it. */
const browser = async (): Promise<Browser> => {
  const { body, headers } = await attemptTicket(cluster.origin)
  const setCookie = headers.get('set-cookie') ?? ''
  expect(setCookie).toMatch(/; Path=\/; Max-Age=240; HttpOnly; SameSite=Strict$/)
  return { ticket: body.ticket, deviceCode: body.device_code, cookie: setCookie.split(';')[0] ?? '' }
}

const web = async ({ ticket, cookie }: Pick<Browser, 'ticket' | 'cookie'>, tip: 0 | 1): Promise<string> => {
  const answer = await request<string>(
    `${cluster.origin}/cgi-bin/mmwebwx-bin/login?loginicon=true&uuid=${ticket}&tip=${tip}&r=1&_=2`,
    {
      headers: { cookie },
    },
  )
  expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return answer.body
}

const open = async ({ ticket, cookie }: Pick<Browser, 'ticket' | 'cookie'>, last = ''): Promise<string> => {
  const answer = await request<string>(
    `${cluster.origin}/connect/l/qrconnect?uuid=${ticket}${last && `&last=${last}`}`,
    { headers: { cookie } },
  )
  return answer.body
}

test('web WeChat answers 201 when scanned, 200 when confirmed and 400 once used', async () => {
  const mine = await browser()
  const first = web(mine, 1)
  await scan(cluster.origin, mine.ticket, alice)
  expect(await first).toBe('window.code=201;')
  expect(await web(mine, 1)).toBe('window.code=201;')

  const second = web(mine, 0)
  await confirm(cluster.origin, mine.ticket, alice)
  const place = `window.code=200;\nwindow.redirect_uri="${cluster.origin}/?ticket=${mine.ticket}";`
  expect(await second).toBe(place)
  // An answer that was lost on its way is given again until the ticket is used.
  expect(await web(mine, 0)).toBe(place)

  const resumed = await request<{ deviceCode: string }>(`${cluster.origin}/v1/tickets/${mine.ticket}/resume`, {
    method: 'POST',
    headers: { cookie: mine.cookie },
  })
  expect(resumed.body.deviceCode).toBe(mine.deviceCode)
  expect((await redeem(cluster.origin, resumed.body.deviceCode)).status).toBe(200)
  expect(await web(mine, 0)).toBe('window.code=400;')
})

test('the open platform answers 404 when scanned, 405 when confirmed and 402 once used', async () => {
  const mine = await browser()
  const first = open(mine)
  await scan(cluster.origin, mine.ticket, alice)
  expect(await first).toBe("window.wx_errcode=404;window.wx_code='';")

  const second = open(mine, '404')
  await confirm(cluster.origin, mine.ticket, alice)
  const answer = await second
  expect(answer).toBe(`window.wx_errcode=405;window.wx_code="${mine.deviceCode}";`)
  expect((await redeem(cluster.origin, mine.deviceCode)).status).toBe(200)
  expect(await open(mine, '404')).toBe("window.wx_errcode=402;window.wx_code='';")
})

test('a decline is 403 once and then 402, or 400 for web WeChat', async () => {
  const mine = await browser()
  const waiting = open(mine)
  await reject(cluster.origin, mine.ticket, alice)
  expect(await waiting).toBe("window.wx_errcode=403;window.wx_code='';")
  expect(await open(mine, '403')).toBe("window.wx_errcode=402;window.wx_code='';")
  expect(await web(mine, 1)).toBe('window.code=400;')
})

test('both formats answer 408 after 25 s without news, and the poll goes on where it was', async () => {
  const mine = await browser()
  const answers = await Promise.all([web(mine, 1), open(mine)])
  expect(answers).toEqual(['window.code=408;', "window.wx_errcode=408;window.wx_code='';"])
  const next = open(mine, '408')
  await scan(cluster.origin, mine.ticket, alice)
  expect(await next).toBe("window.wx_errcode=404;window.wx_code='';")
})

test('a ticket that expires is answered 400 and 402', async () => {
  const hasty = await startCluster({ nodes: 1, env: { SAOMA_SCAN_SECONDS: '1' } })
  const { body, headers } = await attemptTicket(hasty.origin)
  const cookie = headers.get('set-cookie')?.split(';')[0] ?? ''
  const ask = async (path: string) =>
    (await request<string>(`${hasty.origin}${path}${body.ticket}`, { headers: { cookie } })).body
  expect(await ask('/cgi-bin/mmwebwx-bin/login?tip=1&uuid=')).toBe('window.code=400;')
  expect(await ask('/connect/l/qrconnect?uuid=')).toBe("window.wx_errcode=402;window.wx_code='';")
  await hasty.stop()
})

test('a second browser that polls the first one’s ticket never learns anything', async () => {
  const mine = await browser()
  const other = await browser()
  const strangers = [
    { ticket: mine.ticket, cookie: other.cookie },
    { ticket: mine.ticket, cookie: '' },
    // The other browser's own code under the name of my ticket's cookie.
    { ticket: mine.ticket, cookie: `saoma_${mine.ticket}=${other.deviceCode}` },
    { ticket: mine.ticket, cookie: `saoma_${mine.ticket}=${mine.ticket}${other.deviceCode.slice(22)}` },
  ]
  const nothing = async () => {
    for (const stranger of strangers) {
      expect(await web(stranger, 1)).toBe('window.code=400;')
      expect(await open(stranger)).toBe("window.wx_errcode=402;window.wx_code='';")
    }
  }
  await nothing()
  await scan(cluster.origin, mine.ticket, alice)
  await nothing()
  await confirm(cluster.origin, mine.ticket, alice)
  await nothing()
})

test('the cookie is Secure when the origin is', async () => {
  const secure = await startCluster({ nodes: 1, origin: 'https://login.example.com' })
  const { headers } = await attemptTicket(nodeAt(secure.nodes, 0).origin)
  expect(headers.get('set-cookie')).toMatch(/SameSite=Strict; Secure$/)
  await secure.stop()
})

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import { loginClientAt, scanned } from './relying-party.ts'

/** Where a visitor has come to. */
export interface Arrival {
  status: number
  address: string
  text: string
}

/** A person at a browser without scripts, who goes from applications to Saoma and back. */
export interface Visitor {
  /**
   * Follows every redirect. Where Saoma asks for a scan, `phone` scans and confirms; without it the visitor
   * stays there.
   *
   * @param phone  a phone's token
   */
  go(address: string, phone?: string): Promise<Arrival>
  /** Sends the first form of a page, as its button does. */
  press(page: Arrival, phone?: string): Promise<Arrival>
  /** Presses "Log out" on Saoma's page that asks about it. */
  logOut(page: Arrival): Promise<Arrival>
  /** How often a phone has scanned. */
  readonly scans: number
  /** The nodes that answered this browser, in their order. */
  readonly nodes: readonly string[]
}

interface Sent {
  method?: string
  headers?: Record<string, string>
  body?: string
}

const MOST_STEPS = 20

/** The value of an attribute of a tag. */
const attribute = (tag: string, name: string): string =>
  new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&amp;', '&') ?? ''

/**
 * A browser knows hosts and paths of cookies, and not their ports. So cookies of applications and of Saoma,
 * which all have one host in a test, must not disturb each other.
 *
 * @param origin  of the cluster
 */
export const createVisitor = (origin: string): Visitor => {
  const cookies = new Map<string, { name: string; value: string; path: string }>()
  const nodes: string[] = []
  let scans = 0

  /** Not by `fetch`, which says that it is no navigation: some applications lead nobody away then. */
  const send = async (url: URL, { method = 'GET', headers = {}, body = '' }: Sent = {}): Promise<IncomingMessage> => {
    const sent = [...cookies.values()].filter(
      ({ path }) => url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, '/')),
    )
    const cookie = sent.map(({ name, value }) => `${name}=${value}`).join('; ')
    const asked = request(url, {
      method,
      headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', ...(cookie ? { cookie } : {}), ...headers },
    }).end(body)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      const path = /; path=([^;]+)/i.exec(line)?.[1] ?? '/'
      const ends = Date.parse(/; expires=([^;]+)/i.exec(line)?.[1] ?? '')
      if (ends <= Date.now() || /; max-age=0/i.test(line)) cookies.delete(`${name} ${path}`)
      else cookies.set(`${name} ${path}`, { name, value, path })
    }
    const node = answer.headers['x-saoma-node']
    if (typeof node === 'string' && url.origin === origin) nodes.push(node)
    return answer
  }

  /** What the page of an interaction does. Resolves with the address at which it goes on. */
  const finish = async (page: URL, phone: string): Promise<URL> => {
    const bearer = await scanned(origin, loginClientAt(page.href), phone)
    scans++
    const answer = await send(new URL(`${page.pathname}/login`, origin), {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, origin },
    })
    const { location } = JSON.parse(await textOf(answer)) as { location: string }
    return new URL(location)
  }

  const follow = async (from: URL, init?: Sent, phone?: string): Promise<Arrival> => {
    let url = from
    let answer = await send(url, init)
    for (let step = 0; step < MOST_STEPS; step++) {
      const text = await textOf(answer)
      const { location } = answer.headers
      if (location === undefined) return { status: answer.statusCode ?? 0, address: url.href, text }
      url = new URL(location, url)
      if (phone && url.href.startsWith(`${origin}/oidc/interaction/`)) url = await finish(url, phone)
      answer = await send(url)
    }
    throw new Error(`too many redirects, the last to ${url.href}`)
  }

  const sendForm = (to: URL, from: string, fields: string[][], phone?: string): Promise<Arrival> => {
    const headers = { origin: from, 'content-type': 'application/x-www-form-urlencoded' }
    return follow(to, { method: 'POST', body: `${new URLSearchParams(fields)}`, headers }, phone)
  }

  return {
    go: (address, phone) => follow(new URL(address), undefined, phone),
    press: ({ address, text }, phone) => {
      const [, tag = '', inside = ''] = /(<form[^>]*>)([\s\S]*?)<\/form>/i.exec(text) ?? []
      if (tag === '') throw new Error(`${address} has no form: ${text.slice(0, 500)}`)
      const inputs = [...inside.matchAll(/<input[^>]*>/gi)].map(([input]) => input)
      const fields = inputs.map((input) => [attribute(input, 'name'), attribute(input, 'value')])
      const named = fields.filter(([name]) => name !== '')
      return sendForm(new URL(attribute(tag, 'action') || address, address), new URL(address).origin, named, phone)
    },
    logOut: async ({ address }) => {
      if (address !== `${origin}/oidc/logout`) throw new Error(`${address} does not ask about a logout`)
      // A script makes that page's form.
      const details = await textOf(await send(new URL('/oidc/logout/details', origin)))
      const { xsrf } = JSON.parse(details) as { xsrf: string }
      const fields = [
        ['xsrf', xsrf],
        ['logout', 'yes'],
      ]
      return sendForm(new URL('/oidc/session/end/confirm', origin), origin, fields)
    },
    get scans() {
      return scans
    },
    nodes,
  }
}

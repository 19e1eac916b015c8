import { DEVICE_CODE_GRANT, parseDeviceAuthorization, parseTokenSet, type TicketStatus } from '@saoma/protocol'
import type { WebSocket } from 'ws'
import { browserHeaders, openClient } from './client.ts'
import { dialogues } from './dialogues.ts'
import { ORIGIN } from './footprint.ts'
import { type Answered, post } from './keep-alive.ts'

/** The servers that take part in a login. */
export interface Doors {
  /** Base address of the browser's requests. */
  browser: string
  /** Base address of the phone's requests. */
  phone: string
}

/** One person's login, from the code on the page to the closed socket. */
export interface Login {
  /** The phone's access token. */
  phoneToken: string
  /** Who asks for the code. */
  client: { id: string; scope: string }
  deviceCode: string
  /** What the redemption gave. */
  accessToken: string
  ticket: string
  socket?: WebSocket
  /** The next status that the browser must receive. Anything else is a failure. */
  awaited?: { status: TicketStatus; heard: PromiseWithResolvers<void> }
  closed: PromiseWithResolvers<void>
}

const PAGE = { id: 'web', scope: 'openid profile offline_access' }

/** @param client  @default the cluster's own page */
export const newLogin = (phoneToken: string, client: Login['client'] = PAGE): Login => ({
  phoneToken,
  client,
  deviceCode: '',
  accessToken: '',
  ticket: '',
  closed: Promise.withResolvers<void>(),
})

const HEAR_TIMEOUT_MS = 20_000

/** Resolves when the browser has received the status exactly once. */
const hears = async (login: Login, status: TicketStatus): Promise<void> => {
  const heard = Promise.withResolvers<void>()
  login.awaited = { status, heard }
  const late = () => heard.reject(new Error(`a browser did not hear that its login is ${status}`))
  const timer = setTimeout(late, HEAR_TIMEOUT_MS)
  await heard.promise
  clearTimeout(timer)
}

const onFrame = (login: Login, frame: Buffer): void => {
  const { awaited, closed } = login
  const text = frame.toString()
  if (awaited && text.includes(`"status":"${awaited.status}"`)) {
    delete login.awaited
    return awaited.heard.resolve()
  }
  const failed = awaited?.heard ?? closed
  failed.reject(new Error(`a browser received ${text} while it waited for ${awaited?.status ?? 'nothing'}`))
}

const decide = async (login: Login, doors: Doors, verb: string, status: TicketStatus): Promise<Answered> => {
  const told = hears(login, status)
  const [answered] = await Promise.all([
    post(`${doors.phone}/v1/tickets/${login.ticket}/${verb}`, {
      Authorization: `Bearer ${login.phoneToken}`,
      'User-Agent':
        'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) MicroMessenger/8.0.60 NetType/WIFI Language/zh_CN',
    }),
    told,
  ])
  return answered
}

/**
 * The steps of a page and a phone, in order. Each step rejects on any deviation, and leaves nothing running.
 */
export const steps = {
  create: async (login: Login, { browser }: Doors): Promise<Answered | undefined> => {
    const form = { client_id: login.client.id, scope: login.client.scope }
    const answered = await post(`${browser}/oidc/device/auth`, browserHeaders(ORIGIN), form)
    const created = parseDeviceAuthorization(answered.body)
    if (!created.ok) throw new Error(`no device authorization: ${JSON.stringify(answered.body)}`)
    login.deviceCode = created.value.device_code
    login.ticket = created.value.ticket
    return answered
  },

  watch: async (login: Login, { browser }: Doors): Promise<Answered | undefined> => {
    login.socket = await openClient({
      url: browser,
      origin: ORIGIN,
      dialogue: dialogues.watch(login.deviceCode),
      onFrame: (frame) => onFrame(login, frame),
      onLost: () => login.closed.resolve(),
    })
    return undefined
  },

  scan: (login: Login, doors: Doors) => decide(login, doors, 'scan', 'scanned'),
  confirm: (login: Login, doors: Doors) => decide(login, doors, 'confirm', 'confirmed'),

  redeem: async (login: Login, { browser }: Doors): Promise<Answered | undefined> => {
    const told = hears(login, 'redeemed')
    const form = { grant_type: DEVICE_CODE_GRANT, device_code: login.deviceCode, client_id: login.client.id }
    const [answered] = await Promise.all([post(`${browser}/oidc/token`, browserHeaders(ORIGIN), form), told])
    const tokens = parseTokenSet(answered.body)
    // The page of an application's login gets a proof for that login alone.
    const isWhole = tokens.ok && (login.client !== PAGE || (tokens.value.id_token && tokens.value.refresh_token))
    if (!isWhole) throw new Error(`not all tokens: ${JSON.stringify(answered.body)}`)
    if (tokens.ok) login.accessToken = tokens.value.access_token
    return answered
  },

  leave: async (login: Login): Promise<Answered | undefined> => {
    login.socket?.close()
    await login.closed.promise
    return undefined
  },
} satisfies Record<string, (login: Login, doors: Doors) => Promise<Answered | undefined>>

export type Step = keyof typeof steps
export const stepNames = Object.keys(steps) as readonly Step[]

import { backoffMs, form, request } from '@saoma/client'
import { LOGIN_NAMESPACE, LOGIN_ONLY, parseDeviceAuthorization } from '@saoma/protocol'
import { WebSocket } from 'ws'
import type { Clock } from './clock.ts'
import type { Network } from './network.ts'
import { persist } from './people.ts'
import type { Recorder } from './recorder.ts'

/** A browser that shows a code. It watches the ticket, and gets another code when one expires. */
export interface WaitingBrowser {
  /** Whether the server has confirmed the watch. */
  readonly watching: boolean
  /** Drops its connection and reconnects at once. */
  cut(): void
  /** Treats its connection as lost if nothing arrived since that time of the clock. */
  check(since: number): void
  close(): void
}

export interface WaitingBrowserOptions {
  url: string
  /** Scheduled start, by the clock. */
  dueAt: number
  patienceMs: number
  onWatching: (watching: boolean) => void
}

const PATH = `/socket.io/?EIO=4&transport=websocket&${new URLSearchParams(LOGIN_ONLY)}`
/** The same back-off as in the SDK. */
const RECONNECT = { baseMs: 400, capMs: 10_000 }
const REQUEST_TIMEOUT_MS = 10_000
const MAX_RESUME_MS = 15_000
/** The packet id of the event and of its ack. */
const WATCH = 0
/**
 * Frames are written by hand, because a client library would take most of the test's memory. The first
 * character is Engine.IO's packet type, the second Socket.IO's.
 */
const ENTER = `40${LOGIN_NAMESPACE},`
const REFUSED = `44${LOGIN_NAMESPACE},`
const ACK = `43${LOGIN_NAMESPACE},${WATCH}`
const EVENT = `42${LOGIN_NAMESPACE},`

type Event = readonly [name: string, body: { status?: string; resumeAfterMs?: number }]
type Ack = readonly [{ ok: boolean; code?: string; react?: string }]

export const openWaitingBrowser = (
  { clock, recorder, network }: { clock: Clock; recorder: Recorder; network: Network },
  { url, dueAt, patienceMs, onWatching }: WaitingBrowserOptions,
): WaitingBrowser => {
  let socket: WebSocket | undefined
  let deviceCode = ''
  let watching = false
  let closed = false
  let attempt = 0
  let resumeInMs: number | undefined
  let timer: NodeJS.Timeout | undefined
  let heardAt = 0
  let dialledAt = 0
  let askedAt = 0

  const enter = (now: boolean) => {
    if (now === watching) return
    watching = now
    onWatching(now)
  }

  /** Requests a new code; false if there is none. */
  const create = async (from: number): Promise<boolean> => {
    const init = form({ client_id: 'web', scope: 'openid profile offline_access' })
    const parse = parseDeviceAuthorization
    const ask = () =>
      request({ fetch: network.fetch, url: `${url}/oidc/device/auth`, init, parse, timeoutMs: REQUEST_TIMEOUT_MS })
    const answer = await persist(ask, patienceMs)
    if (closed) return false
    if (!answer.ok) {
      recorder.error(`browser: ${answer.code}`)
      return false
    }
    recorder.time('create', clock.now() - from)
    deviceCode = answer.value.device_code
    return true
  }

  const watch = (current: WebSocket) => {
    askedAt = clock.now()
    current.send(`${EVENT}${WATCH}${JSON.stringify(['watch', { deviceCode }])}`)
  }

  const renew = async (current: WebSocket) => {
    enter(false)
    recorder.count('renewed')
    if (!(await create(clock.now()))) return again()
    if (current === socket && current.readyState === WebSocket.OPEN) watch(current)
  }

  const again = () => {
    if (closed) return
    clearTimeout(timer)
    const waitMs = resumeInMs ?? backoffMs(attempt++, RECONNECT, Math.random)
    resumeInMs = undefined
    timer = setTimeout(dial, waitMs)
  }

  const answered = (current: WebSocket, [answer]: Ack) => {
    const now = clock.now()
    if (answer.ok) {
      recorder.time('watch', now - askedAt)
      attempt = 0
      return enter(true)
    }
    recorder.refuse(`watch: ${answer.code}`)
    if (answer.react === 'renew') return void renew(current)
    current.terminate()
  }

  const hear = (current: WebSocket, frame: string) => {
    heardAt = clock.now()
    if (frame === '2') return current.send('3')
    if (frame.startsWith('0')) return current.send(ENTER)
    if (frame.startsWith(ENTER)) {
      recorder.time('connect', clock.now() - dialledAt)
      return watch(current)
    }
    if (frame.startsWith(ACK)) return answered(current, JSON.parse(frame.slice(ACK.length)))
    if (frame.startsWith(REFUSED)) {
      recorder.refuse('the namespace refused')
      return current.terminate()
    }
    if (!frame.startsWith(EVENT)) return
    const [name, body]: Event = JSON.parse(frame.slice(EVENT.length))
    if (name === 'ticket' && body.status === 'expired') void renew(current)
    else if (name === 'drain') resumeInMs = Math.min(body.resumeAfterMs ?? 0, MAX_RESUME_MS)
  }

  const dial = () => {
    if (closed) return
    dialledAt = clock.now()
    heardAt = dialledAt
    const current = network.dial(PATH)
    socket = current
    current.on('message', (frame: Buffer) => hear(current, frame.toString()))
    current.on('close', () => {
      if (current !== socket || closed) return
      if (watching) recorder.count('reconnects')
      enter(false)
      again()
    })
  }

  const start = async () => {
    if (await create(dueAt)) dial()
  }
  void start()

  return {
    get watching() {
      return watching
    },
    cut: () => {
      if (!socket) return
      resumeInMs = 0
      if (watching) recorder.count('reconnects')
      enter(false)
      socket.terminate()
    },
    check: (since) => {
      if (socket?.readyState === WebSocket.OPEN && heardAt < since) socket.terminate()
    },
    close: () => {
      closed = true
      clearTimeout(timer)
      socket?.terminate()
    },
  }
}

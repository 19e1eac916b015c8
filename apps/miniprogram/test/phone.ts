import { type Cluster, createWx, onCleanup, request, type TestWxOptions, type WxPhone } from '@saoma/testing'
import type { Entry, LoginPage, LoginScreen } from '../src/logic/login-screen.ts'
import { createProgram, type Program } from '../src/logic/program.ts'
import type { WxApp } from '../src/logic/wx-app.ts'

/** A page, and a way to wait for what it shows. */
export interface Shown<P> {
  page: P
  /** The first screen, from now on, that is as wanted. Rejects after ten seconds. */
  when<S>(wanted: (page: P) => S | undefined | false): Promise<S>
}

const WAIT_MS = 10_000

export const show = <P extends { close(): void; readonly screen: unknown }>(
  open: (onChange: () => void) => P,
): Shown<P> => {
  const looks = new Set<() => void>()
  const page = open(() => {
    for (const look of [...looks]) look()
  })
  onCleanup(page.close)
  return {
    page,
    when: (wanted) =>
      new Promise((resolve, reject) => {
        const done = () => {
          clearTimeout(timer)
          looks.delete(look)
        }
        const look = () => {
          const found = wanted(page)
          if (!found) return
          done()
          resolve(found)
        }
        const timer = setTimeout(() => {
          done()
          reject(new Error(`it was not shown; there is ${JSON.stringify(page.screen)}`))
        }, WAIT_MS)
        looks.add(look)
        look()
      }),
  }
}

type Status = LoginScreen['status']
export type ScreenOf<S extends Status> = Extract<LoginScreen, { status: S }>

/** A login page that was opened with this. */
export interface ShownLogin extends Shown<LoginPage> {
  reaches<S extends Status>(status: S): Promise<ScreenOf<S>>
}

export interface Phone {
  device: WxPhone
  program: Program
  /** Codes of `wx.login` that were asked for. */
  readonly logins: number
  login(entry: Entry): ShownLogin
  /** Paths that were asked for so far, after `/v1/`. */
  asked(): string[]
}

export interface PhoneOptions extends Omit<TestWxOptions, 'login'> {
  /** Which node it talks to, past nginx. @default 1 */
  node?: number
  /** Puts something between the program and WeChat. */
  wrap?: (wx: WxApp) => WxApp
  /** How far the phone's clock is ahead. @default 0 */
  aheadMs?: number
  /** Whether the mini-program asks for a phone number. @default false */
  asksPhoneNumber?: boolean
  /** Opens the question for it over another page. @default nothing */
  askNumber?: () => void
  /** Template of the message about a request to log in. @default there is none */
  loginTemplate?: string
  /** What `wx.login` gives. @default a code of the simulator, where there is one, else of the demo person */
  loginCode?: () => Promise<string>
}

/** A code scanned with the camera. */
export const scanned = (scene: string): Entry => ({ scene: encodeURIComponent(scene), launchScene: 1047 })

/** The phone of one person, with this mini-program. */
export const startPhone = (cluster: Cluster, person: string, options: PhoneOptions = {}): Phone => {
  const { node = 1, wrap = (wx) => wx, aheadMs = 0, asksPhoneNumber = false, askNumber = () => {}, ...rest } = options
  const { loginCode = () => codeOf(cluster, person), loginTemplate = '', ...how } = rest
  let logins = 0
  const device = createWx({
    ...how,
    login: () => {
      logins++
      return loginCode()
    },
  })
  const program = createProgram({
    wx: wrap(device.wx),
    origin: cluster.nodes[node]?.origin ?? cluster.origin,
    now: () => device.now() + aheadMs,
    asksPhoneNumber,
    loginTemplate,
    askNumber,
  })
  onCleanup(program.close)
  return {
    device,
    program,
    get logins() {
      return logins
    },
    login: (entry) => {
      const shown = show(program.login)
      shown.page.open(entry)
      return {
        ...shown,
        reaches: <S extends Status>(status: S) =>
          shown.when(({ screen }) => screen.status === status && (screen as ScreenOf<S>)),
      }
    },
    asked: () => device.requests.flatMap(({ url }) => /\/v1\/(.*)$/.exec(url)?.[1] ?? []),
  }
}

const codeOf = async ({ simulator }: Cluster, person: string): Promise<string> => {
  if (!simulator) return `demo:${person}`
  const { body } = await request<{ js_code: string }>(`${simulator.origin}/simulator/login`, { json: { person } })
  return body.js_code
}

type Asked = Parameters<WxApp['request']>[0]

/**
 * The next answer on this path is lost on its way to the phone, after `meanwhile`. The server has done what
 * it was asked.
 */
export const losing =
  (path: string, meanwhile: () => Promise<unknown> = async () => {}) =>
  (wx: WxApp): WxApp => {
    let isLost = false
    const request = (asked: Asked) => {
      if (isLost || !asked.url.endsWith(path)) return wx.request(asked)
      isLost = true
      return wx.request({
        ...asked,
        success: () => void meanwhile().then(() => asked.fail?.({ errMsg: 'request:fail interrupted' })),
      })
    }
    return { ...wx, request }
  }

/** The next request bears a token that the server will not have. */
export const spoilingToken =
  (path: string) =>
  (wx: WxApp): WxApp => {
    let isSpoilt = false
    const request = (asked: Asked) => {
      if (isSpoilt || !asked.url.endsWith(path)) return wx.request(asked)
      isSpoilt = true
      return wx.request({ ...asked, header: { ...asked.header, authorization: 'Bearer spoilt' } })
    }
    return { ...wx, request }
  }

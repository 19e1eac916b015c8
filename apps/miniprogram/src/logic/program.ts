import { createDevices } from '@saoma/client'
import { createWxFetch, createWxPage, createWxStorage } from '@saoma/client/wx'
import { createActivityPart } from './activity.ts'
import type { ActivityPart } from './activity-screen.ts'
import { baseOf } from './base-library.ts'
import { createConnection } from './connection.ts'
import { createDevicesPage } from './devices.ts'
import type { DevicesPage } from './devices-screen.ts'
import { createLoginPage } from './login.ts'
import { createLoginMessages } from './login-messages.ts'
import type { LoginPage } from './login-screen.ts'
import { createMessagesPage } from './messages.ts'
import type { MessagesPage } from './messages-screen.ts'
import { createPhoneApi } from './phone-api.ts'
import { createPhoneNumber } from './phone-number.ts'
import { createServerClock } from './server-clock.ts'
import { createShopApi } from './shop-api.ts'
import { createTablePage } from './table.ts'
import type { TablePage } from './table-screen.ts'
import { createText, type Text } from './text.ts'
import { createTokens, wxLoginCode } from './tokens.ts'
import type { WxApp } from './wx-app.ts'

export interface ProgramOptions {
  wx: WxApp
  /** Origin of Saoma, without a path. */
  origin: string
  /**
   * A demo account to use instead of WeChat's person, for developer tools without one. A server accepts it in
   * demo mode only.
   */
  demo?: string
  /** Appid of the mini-program, if it is not the server's first one. */
  app?: string
  /** Whether people are asked for their phone number. @default false */
  asksPhoneNumber?: boolean
  /**
   * Opens the login page with the question for the phone number, when another page needs to know who the
   * person is. Calls `failed` if that is not possible. @default nothing
   */
  askNumber?: (failed: () => void) => void
  /** Id of the template of the message about a request to log in. @default there is none */
  loginTemplate?: string
  /** Milliseconds since 1970. @default Date.now */
  now?: () => number
  /** Returns numbers in `[0, 1)` for the jitter of retries. */
  random?: () => number
}

/**
 * The logic behind all pages, created once in `App`. A page opens its part when it is attached, reads
 * `screen` again at each `onChange`, and closes its part when it is detached.
 */
export interface Program {
  /** In the person's language. */
  readonly text: Text
  login(onChange: () => void): LoginPage
  devices(onChange: () => void): DevicesPage
  activity(onChange: () => void): ActivityPart
  messages(onChange: () => void): MessagesPage
  /** @param name  of the table, 1 to 99 */
  table(name: string, onChange: () => void): TablePage
  close(): void
}

export const createProgram = (options: ProgramOptions): Program => {
  const { wx, demo, app, asksPhoneNumber = false, loginTemplate = '' } = options
  const { now = Date.now, random = Math.random } = options
  const origin = options.origin.replace(/\/+$/, '')
  const { fetch, now: serverNow } = createServerClock(createWxFetch(wx), now)
  const page = createWxPage(wx)
  const text = createText(baseOf(wx).language, serverNow)
  const loginCode = demo ? async () => `demo:${demo}` : () => wxLoginCode(wx)
  const phoneNumber = createPhoneNumber(createWxStorage(wx), asksPhoneNumber, options.askNumber)
  const messages = createLoginMessages(wx, loginTemplate)
  const common = { origin, fetch, loginCode, now, phoneNumber, ...(app ? { app } : {}) }
  const phone = createTokens({ ...common, clientId: 'phone' })
  const application = createTokens({ ...common, clientId: 'miniprogram' })
  const api = createPhoneApi({ origin, fetch, tokens: phone })
  const devices = createDevices({ origin, fetch, token: phone.get })
  const connection = createConnection({ wx, origin, tokens: application, fetch, page, now, random })
  // `page` tracks the network only while it has a listener, and a login needs the network state at once.
  const stopListening = page.onChange(() => {})

  return {
    text,
    login: (onChange) => createLoginPage({ api, phoneNumber, messages, page, now, random }, onChange),
    devices: (onChange) => createDevicesPage({ devices, tokens: phone, page, random }, onChange),
    activity: (onChange) => createActivityPart({ api, devices, tokens: phone, page, random }, onChange),
    messages: (onChange) => createMessagesPage(connection, onChange),
    table: (name, onChange) => {
      const shop = createShopApi({ origin, fetch, tokens: application, random })
      return createTablePage(name, { connection, shop, tokens: application, text, random }, onChange)
    },
    close: () => {
      stopListening()
      connection.close()
      phone.close()
      application.close()
    },
  }
}

import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { Limits } from './limits.ts'
import { createQuota, MINUTE_MS } from './quota.ts'

const CODE_LIFETIME_MS = 5 * MINUTE_MS
/** Codes that are stored, to distinguish a used code from an unknown one. */
const REMEMBERED = 10_000

export interface Session {
  openid: string
  session_key: string
  unionid?: string
}

/** 28 characters that begin with `o`, like WeChat's. The same person always gets the same id. */
const idOf = (scope: string, person: string): string =>
  `o${createHash('sha256').update(`${scope}\n${person}`).digest('base64url').slice(0, 27)}`

/** People with the mini-program on their phones, and their codes from `wx.login`. */
export const createLogins = (clock: Clock, limits: Limits, appid: string, openPlatform?: string) => {
  const codes = new Map<string, { person: string; blocked: boolean; until: number; used: boolean }>()
  const phoneCodes = new Map<string, { number: string; country: string; until: number }>()
  const mayAsk = createQuota(clock, limits.sessionsPerMinute, MINUTE_MS)

  return {
    /**
     * The result of `wx.login` on a person's phone.
     * @param blocked  WeChat considers the person a risk
     */
    login: (person: string, blocked = false): string => {
      const code = `0${randomBytes(24).toString('base64url').slice(0, 31)}`
      codes.set(code, { person, blocked, until: clock.now() + CODE_LIFETIME_MS, used: false })
      const oldest = codes.keys().next().value
      if (codes.size > REMEMBERED && oldest) codes.delete(oldest)
      return code
    },

    /** The openid of a person in this app. */
    openidOf: (person: string): string => idOf(appid, person),

    /** What WeChat's button gives to the mini-program, when the person agrees to tell the number. */
    phoneCode: (number: string, country = '86'): string => {
      const code = randomBytes(32).toString('hex')
      phoneCodes.set(code, { number, country, until: clock.now() + CODE_LIFETIME_MS })
      const oldest = phoneCodes.keys().next().value
      if (phoneCodes.size > REMEMBERED && oldest) phoneCodes.delete(oldest)
      return code
    },

    /** Uses up a code for a phone number. Undefined if it is unknown, used or expired. */
    phone: (code: string): { number: string; country: string; at: number } | undefined => {
      const found = phoneCodes.get(code)
      phoneCodes.delete(code)
      if (!found || found.until <= clock.now()) return undefined
      return { number: found.number, country: found.country, at: clock.now() }
    },

    /** Uses up a code. Returns a session, or an errcode. */
    session: (jsCode: string): Session | number => {
      const login = codes.get(jsCode)
      if (!login || login.until <= clock.now()) return 40029
      if (login.used) return 40163
      if (login.blocked) return 40226
      if (!mayAsk(login.person)) return 45011
      login.used = true
      return {
        openid: idOf(appid, login.person),
        session_key: randomBytes(16).toString('base64'),
        ...(openPlatform ? { unionid: idOf(openPlatform, login.person) } : {}),
      }
    },
  }
}

export type Logins = ReturnType<typeof createLogins>

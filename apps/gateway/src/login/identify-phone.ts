import type { OutsideIdentity } from '@saoma/accounts'
import type { Recognise } from '@saoma/identity'
import { fail, ok, type Result } from '@saoma/protocol'
import type { Wechat, WechatFailure } from '@saoma/wechat'
import type { Logger } from '../operate/log.ts'
import type { Limits } from '../transport/limits.ts'
import type { AccountHook } from './account-hook.ts'
import type { PhoneCodes } from './phone-codes.ts'

const DEMO = /^demo:([\p{L}\p{N}][\p{L}\p{N} ._-]{0,31})$/u

/** Asks WeChat about a code. It always reports the outcome to `answered`, even if the request throws. */
const askWechat = async (
  wechat: Pick<Wechat, 'session'>,
  code: string,
  answered: (accepted: boolean) => Promise<void>,
): ReturnType<Wechat['session']> => {
  let accepted = true
  try {
    const session = await wechat.session(code)
    // A failure of WeChat does not count against the client.
    accepted = session.ok || session.kind !== 'rejected'
    return session
  } finally {
    await answered(accepted)
  }
}

const logFailure = ({ kind, errcode, message }: WechatFailure, log: Logger): void => {
  const level = { rejected: 'info', unavailable: 'warn', misconfigured: 'error' } as const
  log[level[kind]]({ event: 'wechat', kind, errcode }, message)
}

/** A code that WeChat rejects counts as none: a client could have left it out too. */
const askNumber = async (
  wechat: Pick<Wechat, 'phoneNumber'>,
  code: string,
  log: Logger,
): Promise<Result<string | undefined>> => {
  const asked = await wechat.phoneNumber(code)
  if (asked.ok) return ok(asked.phoneNumber)
  logFailure(asked, log)
  return asked.kind === 'rejected' ? ok(undefined) : fail('WECHAT_UNAVAILABLE')
}

export interface IdentifyPhoneDeps {
  log: Logger
  limits: Pick<Limits, 'demoPeople'>
  phoneCodes: PhoneCodes
  demo: boolean
  /** The mini-programs by appid. A client that names none means the first. */
  wechatApps: ReadonlyMap<string, Pick<Wechat, 'session' | 'phoneNumber'>>
  /** The business, if it says who somebody is. */
  hook?: AccountHook
}

/**
 * Identifies the person behind a phone's code: WeChat resolves it,
 * or in demo mode the code contains the name.
 */
export const createIdentifyPhone =
  ({ log, limits, phoneCodes, demo, wechatApps, hook }: IdentifyPhoneDeps): Recognise =>
  async (code, from, { app, phoneCode } = {}) => {
    const name = DEMO.exec(code)?.[1]
    if (demo && name) {
      const identity: OutsideIdentity = { provider: 'demo', app: '', id: name.trim() }
      return {
        ok: true,
        identity,
        meeting: {
          // Anybody can invent names, and each one becomes a permanent account.
          mayBegin: async () => (await limits.demoPeople(from))?.retryAfterSeconds,
          ...(hook ? { decide: (known) => hook.decide({ identity, from }, known) } : {}),
        },
      }
    }
    const [first] = wechatApps.keys()
    const appid = app ?? first ?? ''
    const wechat = wechatApps.get(appid)
    if (first !== undefined && !wechat)
      return { ok: false, kind: 'rejected', message: 'this mini-program is not one of this server' }
    if (!wechat || code.startsWith('demo:'))
      return { ok: false, kind: 'rejected', message: 'this code was not issued by WeChat' }
    const asked = await phoneCodes.ask(from)
    if (!asked.ok) return { ok: false, kind: 'limited', seconds: asked.seconds }
    const session = await askWechat(wechat, code, asked.answered)
    if (session.ok) {
      const { openid: id, unionid: union } = session
      const identity: OutsideIdentity = { provider: 'wechat', app: appid, id, ...(union ? { union } : {}) }
      if (!hook) return { ok: true, identity }
      const phoneNumber = phoneCode === undefined ? undefined : () => askNumber(wechat, phoneCode, log)
      const question = { identity, from, ...(phoneNumber ? { phoneNumber } : {}) }
      return { ok: true, identity, meeting: { decide: (known) => hook.decide(question, known) } }
    }
    logFailure(session, log)
    return session.kind === 'rejected'
      ? { ok: false, kind: 'rejected', message: 'WeChat does not accept this code' }
      : { ok: false, kind: 'unavailable', message: 'WeChat does not answer right now' }
  }

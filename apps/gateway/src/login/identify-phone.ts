import type { Meeting, OutsideIdentity } from '@saoma/accounts'
import type { Recognise } from '@saoma/identity'
import type { Wechat } from '@saoma/wechat'
import type { Logger } from '../operate/log.ts'
import type { Limits } from '../transport/limits.ts'
import type { AccountHook } from './account-hook.ts'
import type { PhoneCodes } from './phone-codes.ts'
import type { PhoneNumber, PhoneNumbers } from './phone-numbers.ts'
import { logFailure } from './wechat-failure.ts'

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

interface Sent {
  identity: OutsideIdentity
  from: string
  /** Asks WeChat for the number, if the phone has sent a code for it. */
  askNumber: (() => Promise<PhoneNumber>) | undefined
}

/**
 * The decision about a person of WeChat, in which the number is optional: without it people get in all the
 * same. The exception is somebody new whom the business may know by the number. If WeChat does not tell it
 * then, the person has to try again, or they might become somebody else for good. A code that is rejected may
 * be one whose answer was lost: WeChat takes each code once. So the person has to press the button again.
 */
const decideWith =
  (hook: AccountHook | undefined, { identity, from, askNumber }: Sent): NonNullable<Meeting['decide']> =>
  async (known) => {
    const asked = await askNumber?.()
    if (asked && asked.outcome !== 'accepted' && known.isNew && hook) {
      if (asked.outcome === 'rejected') return { allow: false, why: 'PHONE_CODE_REJECTED' }
      const { waitSeconds } = asked
      if (waitSeconds === undefined) return { allow: false, why: 'WECHAT_UNAVAILABLE' }
      return { allow: false, why: 'RATE_LIMITED', waitSeconds }
    }
    const told = asked?.outcome === 'accepted' ? { phoneNumber: asked.number } : {}
    const decision = await hook?.decide({ identity, from, ...told }, known)
    if (decision?.allow === false || told.phoneNumber === undefined) return decision
    return { allow: true, ...decision, ...told }
  }

export interface IdentifyPhoneDeps {
  log: Logger
  limits: Pick<Limits, 'demoPeople'>
  phoneCodes: PhoneCodes
  phoneNumbers: PhoneNumbers
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
  ({ log, limits, phoneCodes, phoneNumbers, demo, wechatApps, hook }: IdentifyPhoneDeps): Recognise =>
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
      if (!hook && phoneCode === undefined) return { ok: true, identity }
      // Two nodes may meet somebody new at the same time. Then one of them decides twice.
      let asking: Promise<PhoneNumber> | undefined
      let outcome: PhoneNumber['outcome'] | undefined
      const ask = async (code: string): Promise<PhoneNumber> => {
        asking ??= phoneNumbers.exchange(code, identity, wechat, from)
        const asked = await asking
        outcome = asked.outcome
        return asked
      }
      const askNumber = phoneCode === undefined ? undefined : () => ask(phoneCode)
      const decide = decideWith(hook, { identity, from, askNumber })
      return { ok: true, identity, meeting: { decide }, phoneCode: () => outcome }
    }
    logFailure(session, log)
    return session.kind === 'rejected'
      ? { ok: false, kind: 'rejected', message: 'WeChat does not accept this code' }
      : { ok: false, kind: 'unavailable', message: 'WeChat does not answer right now' }
  }

import type { Recognise } from '@saoma/identity'
import type { Wechat } from '@saoma/wechat'
import type { Logger } from '../operate/log.ts'
import type { Limits } from '../transport/limits.ts'
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

export interface IdentifyPhoneDeps {
  log: Logger
  limits: Pick<Limits, 'demoPeople'>
  phoneCodes: PhoneCodes
  demo: boolean
  wechat?: Pick<Wechat, 'session'>
  appid?: string
}

/**
 * Identifies the person behind a phone's code: WeChat resolves it,
 * or in demo mode the code contains the name.
 */
export const createIdentifyPhone =
  ({ log, limits, phoneCodes, demo, wechat, appid }: IdentifyPhoneDeps): Recognise =>
  async (code, from) => {
    const name = DEMO.exec(code)?.[1]
    if (demo && name)
      return {
        ok: true,
        identity: { via: 'demo', name: name.trim() },
        // Anybody can invent names, and each one becomes a permanent account.
        mayBegin: async () => (await limits.demoPeople(from))?.retryAfterSeconds,
      }
    if (!wechat || !appid || code.startsWith('demo:'))
      return { ok: false, kind: 'rejected', message: 'this code was not issued by WeChat' }
    const asked = await phoneCodes.ask(from)
    if (!asked.ok) return { ok: false, kind: 'limited', seconds: asked.seconds }
    const session = await askWechat(wechat, code, asked.answered)
    if (session.ok) return { ok: true, identity: { via: 'wechat', appid, openid: session.openid } }
    const level = { rejected: 'info', unavailable: 'warn', misconfigured: 'error' } as const
    log[level[session.kind]]({ event: 'wechat', kind: session.kind, errcode: session.errcode }, session.message)
    return session.kind === 'rejected'
      ? { ok: false, kind: 'rejected', message: 'WeChat does not accept this code' }
      : { ok: false, kind: 'unavailable', message: 'WeChat does not answer right now' }
  }

import type { Recognise } from '@saoma/identity'
import type { Wechat } from '@saoma/wechat'
import type { Logger } from './log.ts'

const DEMO = /^demo:([\p{L}\p{N}][\p{L}\p{N} ._-]{0,31})$/u

/** Who the phone's code stands for: WeChat says so, or in demo mode the code itself. */
export const createRecognise =
  ({ log, demo, wechat, appid }: { log: Logger; demo: boolean; wechat?: Wechat; appid?: string }): Recognise =>
  async (code) => {
    const name = DEMO.exec(code)?.[1]
    if (demo && name) return { ok: true, identity: { via: 'demo', name: name.trim() } }
    if (!wechat || !appid || code.startsWith('demo:'))
      return { ok: false, kind: 'rejected', message: 'this code was not issued by WeChat' }
    const session = await wechat.session(code)
    if (session.ok) return { ok: true, identity: { via: 'wechat', appid, openid: session.openid } }
    const level = { rejected: 'info', unavailable: 'warn', misconfigured: 'error' } as const
    log[level[session.kind]]({ event: 'wechat', kind: session.kind, errcode: session.errcode }, session.message)
    return session.kind === 'rejected'
      ? { ok: false, kind: 'rejected', message: 'WeChat does not accept this code' }
      : { ok: false, kind: 'unavailable', message: 'WeChat does not answer right now' }
  }

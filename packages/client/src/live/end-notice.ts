import { type Code, codes, type EndNotice } from '@saoma/protocol'

/** Reads the event `ended`. A code that this version does not know counts as an expired token. */
export const noticeOf = (body: unknown): EndNotice => {
  const { code, reason } = (body ?? {}) as { code?: unknown; reason?: unknown }
  return {
    code: typeof code === 'string' && code in codes ? (code as Code) : 'TOKEN_EXPIRED',
    ...(typeof reason === 'string' ? { reason } : {}),
  }
}

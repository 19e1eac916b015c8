import type { LossReason, Subscribed, SubscribeRequest } from '@saoma/protocol'
import { type Answer, malformed } from '../core/request.ts'
import { isOwn } from './channel-name.ts'
import { cursorOf, type LiveApi } from './live-api.ts'

/** The first page of a reader without a position. `reason` is set if it lost its position. */
export const firstPage = async (
  api: LiveApi,
  { channel, history }: { channel: string; history: number },
  reason: LossReason | undefined,
  signal: AbortSignal,
): Promise<Answer<Subscribed>> => {
  const answer = await api.newest(channel, Math.max(1, history), signal)
  if (!answer.ok) return answer
  const messages = history > 0 ? answer.value.messages.slice(-history) : []
  return { ok: true, value: { ...answer.value, ...(reason ? { reason } : {}), messages } }
}

/** The answer that a subscription would get, by plain HTTP and without subscribing. */
export const catchUp = async (
  api: LiveApi,
  { channel, since, history = 0 }: SubscribeRequest,
  signal: AbortSignal,
): Promise<Answer<Subscribed>> => {
  const goOn = async (): Promise<Answer<Subscribed>> => {
    if (!since) return firstPage(api, { channel, history }, undefined, signal)
    const answer = await api.wait([cursorOf(channel, since)], 0, signal)
    if (!answer.ok) return answer
    const [page] = answer.value
    if (!page) return malformed()
    return page.reason && history > 0
      ? firstPage(api, { channel, history }, page.reason, signal)
      : { ok: true, value: page }
  }
  const page = await goOn()
  if (!page.ok || !isOwn(channel)) return page
  const inbox = await api.inbox(channel, signal)
  return inbox.ok ? { ok: true, value: { ...page.value, inbox: inbox.value } } : inbox
}

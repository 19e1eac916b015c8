import type { LossReason, Subscribed, SubscribeRequest } from '@saoma/protocol'
import { type Answer, malformed } from '../core/request.ts'
import { isOwn } from './channel-name.ts'
import { cursorOf, type LiveApi } from './live-api.ts'

/** The page with which a reader begins who stands nowhere, or, for `reason`, no longer. */
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

/** What a subscription would be answered, over plain HTTP and without one. */
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

import type { Listener } from '@saoma/channels'
import type { Principal } from '../../access/principal.ts'
import type { Live, Subscription } from '../live.ts'
import type { ChannelQuery } from './channel-query.ts'

/**
 * Follows channels until a message arrives in one of them. Resolves with the channels that have something to
 * read, or with none after `ms` or when the signal aborts. It does not count towards presence.
 */
export const waitForMessage = async (
  live: Live,
  who: Principal,
  asked: readonly ChannelQuery[],
  { ms, signal }: { ms: number; signal: AbortSignal },
): Promise<Set<string>> => {
  const heard = new Set<string>()
  const woken = Promise.withResolvers<void>()
  const stop = () => woken.resolve()
  const onWord = (channel: string) => {
    heard.add(channel)
    stop()
  }

  const follow = async ({ channel, since }: ChannelQuery): Promise<Subscription['following'] | undefined> => {
    const listener: Listener = { messages: () => onWord(channel), signal: () => {} }
    const result = await live.subscribe(who, channel, since ? { since } : {}, listener, false)
    if (!result.ok) {
      // The caller's next read reports the reason.
      onWord(channel)
      return undefined
    }
    const { subscribed, following } = result.value
    if (!subscribed.recovered || subscribed.messages.length > 0) onWord(channel)
    following.start()
    return following
  }

  const timer = setTimeout(stop, ms)
  signal.addEventListener('abort', stop)
  // Wait for all, even if one fails: every following has to be closed.
  const attempts = await Promise.allSettled(asked.map(follow))
  try {
    for (const attempt of attempts) if (attempt.status === 'rejected') throw attempt.reason
    if (signal.aborted) stop()
    await woken.promise
    return heard
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    for (const attempt of attempts) if (attempt.status === 'fulfilled') attempt.value?.close()
  }
}

import type { Following, Listener } from '@saoma/channels'
import type { Principal } from '../../access/principal.ts'
import type { Live } from '../live.ts'
import type { ChannelQuery } from './channel-query.ts'

/**
 * Follows channels until something is said in one of them: resolves with those in which there is something to
 * read, at the latest after `ms` or when the signal fires; then with none. Nobody counts as present by it.
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

  const follow = async ({ channel, since }: ChannelQuery): Promise<Following | undefined> => {
    const listener: Listener = { messages: () => onWord(channel), signal: () => {} }
    const result = await live.subscribe(who, channel, since ? { since } : {}, listener, false)
    if (!result.ok) {
      // The read that comes next says why.
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
  // All of them, also when one fails: every following has to be let go.
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

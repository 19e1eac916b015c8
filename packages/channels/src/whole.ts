import { orUnavailable, type RedisClients } from '@saoma/redis'
import { assertChannelName } from './log.ts'
import { LogEntry } from './log-entry.ts'

/** Messages that are read at once. Each may be as large as the node allows. */
const COUNT = 20

/**
 * All messages that a channel keeps, oldest first, also those that are too old and not trimmed yet. Needs a
 * Redis and no node: a command uses it too. Rejects with RedisUnavailable.
 */
export async function* keptMessages(
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  channel: string,
): AsyncGenerator<LogEntry> {
  const log = keys.channelLog(assertChannelName(channel))
  const epoch = (await orUnavailable(data.hget(keys.channelMeta(channel), 'epoch'))) ?? ''
  let from = '-'
  for (;;) {
    const found = await orUnavailable(data.xrange(log, from, '+', 'COUNT', COUNT))
    for (const [id, [, body = '']] of found) yield new LogEntry(channel, epoch, Number.parseInt(id, 10), body)
    const last = found.at(-1)
    if (!last || found.length < COUNT) return
    from = `(${last[0]}`
  }
}

/**
 * Deletes the messages of a channel, and the position up to which a person has read them. Who publishes to it
 * later begins it anew. Receipts of publications with an idempotency key go ten minutes after them. Resolves
 * with whether there was anything. Rejects with RedisUnavailable, and may be repeated.
 */
export const eraseChannel = async (
  { data, keys, writing }: Pick<RedisClients, 'data' | 'keys' | 'writing'>,
  channel: string,
): Promise<boolean> => {
  const [meta, log] = [keys.channelMeta(assertChannelName(channel)), keys.channelLog(channel)]
  const replicated = writing(meta)
  // Both lie in one slot: without one of them the other would be taken for what a loss has left.
  const erased = await orUnavailable(data.unlink(meta, log))
  await replicated()
  return erased > 0
}

import { fail, OWN_CHANNEL, parseChannel, type Result, userChannel } from '@saoma/protocol'
import type { Principal } from '../access/principal.ts'

declare const checked: unique symbol
/** The full name of a channel, such as `room:noodles`. Only `channelOf` makes one. */
export type ChannelName = string & { readonly [checked]: true }

const named = (name: unknown): Result<ChannelName> => parseChannel(name) as Result<ChannelName>

/**
 * Resolves the name that a caller uses for a channel to its full name: `@user` is the caller's own channel.
 * Fails with INVALID if it is not a name of a channel.
 */
export const channelOf = (who: Principal, asked: unknown): Result<ChannelName> => {
  if (asked !== OWN_CHANNEL) return named(asked)
  return who.kind === 'person' ? channelOfUser(who.user) : fail('INVALID')
}

/** A person's own channel. Fails with INVALID if no account can have this id. */
const channelOfUser = (user: string): Result<ChannelName> => named(userChannel(user))

import { fail, OWN_CHANNEL, parseChannel, type Result, userChannel } from '@saoma/protocol'
import type { Principal } from '../access/principal.ts'

declare const checked: unique symbol
/** The full name of a channel, such as `room:noodles`. Only `channelOf` makes one. */
export type ChannelName = string & { readonly [checked]: true }

const named = (name: unknown): Result<ChannelName> => parseChannel(name) as Result<ChannelName>

/** What somebody calls a channel, by its full name: `@user` is the asker's own. INVALID for what is none. */
export const channelOf = (who: Principal, asked: unknown): Result<ChannelName> => {
  if (asked !== OWN_CHANNEL) return named(asked)
  return who.kind === 'person' ? channelOfUser(who.user) : fail('INVALID')
}

/** A person's own channel. INVALID when no account can have this id. */
export const channelOfUser = (user: string): Result<ChannelName> => named(userChannel(user))

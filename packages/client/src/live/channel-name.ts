import { OWN_CHANNEL, userOf } from '@saoma/protocol'

/** Whether this is a person's own channel, by either of its names. Such a channel has an inbox. */
export const isOwn = (channel: string): boolean => channel === OWN_CHANNEL || userOf(channel) !== undefined

/**
 * Whether the requested name means the channel with this full name. A person never gets another person's own
 * channel.
 */
export const isCalled = (asked: string, full: string): boolean =>
  asked === OWN_CHANNEL ? userOf(full) !== undefined : asked === full

/** Whether the server may know both names as the same channel. */
export const isSame = (a: string, b: string): boolean => a === b || isCalled(a, b) || isCalled(b, a)

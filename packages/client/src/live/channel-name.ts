import { OWN_CHANNEL, userOf } from '@saoma/protocol'

/** A person's own channel, by either of its names; it has an inbox. */
export const isOwn = (channel: string): boolean => channel === OWN_CHANNEL || userOf(channel) !== undefined

/**
 * Whether what was asked for is the channel with this full name. No person hears of another person's own
 * channel.
 */
export const isCalled = (asked: string, full: string): boolean =>
  asked === OWN_CHANNEL ? userOf(full) !== undefined : asked === full

/** Whether the server may know both by one name. */
export const isSame = (a: string, b: string): boolean => a === b || isCalled(a, b) || isCalled(b, a)

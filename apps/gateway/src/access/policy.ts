import { fail, ok, type Result, userOf } from '@saoma/protocol'
import type { AuthorizationWebhook } from './authorization-webhook.ts'
import { matches, type Person, type Policy } from './principal.ts'
import type { Rules } from './rules.ts'

export interface PolicyDeps {
  rules: Rules
  /** If it is absent, actions that a rule leaves to the hook are refused. */
  hook?: AuthorizationWebhook
}

const allowed: Result<true> = ok(true)
const refused: Result<true> = fail('FORBIDDEN')

/** Tokens may name rooms with or without `room:`. */
const isMember = ({ rooms }: Person, channel: string): boolean =>
  rooms.some((room) => matches(room.startsWith('room:') ? room : `room:${room}`, channel))

/**
 * Decides who may do what. Backends are bound by the patterns and acts of their key, people by the operator's
 * rules. Whatever no rule allows is forbidden.
 */
export const createPolicy = ({ rules, hook }: PolicyDeps): Policy => {
  const mayFollow = async (who: Person, channel: string): Promise<Result<true>> => {
    const rule = rules.of(channel)
    switch (rule?.follow) {
      case 'public':
        return allowed
      case 'members':
        return isMember(who, channel) ? allowed : refused
      case 'hook':
        return hook ? hook.allows(who, 'follow', channel) : refused
      default:
        return refused
    }
  }

  const mayPublish = async (who: Person, channel: string): Promise<Result<true>> => {
    switch (rules.of(channel)?.publish) {
      case 'followers':
        return mayFollow(who, channel)
      case 'hook':
        return hook ? hook.allows(who, 'publish', channel) : refused
      default:
        return refused
    }
  }

  return async (who, act, channel) => {
    if (who.kind === 'backend')
      return who.may.includes(act) && who.channels.some((pattern) => matches(pattern, channel)) ? allowed : refused
    const owner = userOf(channel)
    if (owner !== undefined) return act !== 'publish' && owner === who.user ? allowed : refused
    return act === 'publish' ? mayPublish(who, channel) : mayFollow(who, channel)
  }
}

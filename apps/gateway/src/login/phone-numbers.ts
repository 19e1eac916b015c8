import { hash } from 'node:crypto'
import type { OutsideIdentity } from '@saoma/accounts'
import { createQuickSeal, orUnavailable, type RedisClients } from '@saoma/redis'
import type { Wechat } from '@saoma/wechat'
import type { Logger } from '../operate/log.ts'
import type { PhoneCodes } from './phone-codes.ts'
import { logFailure } from './wechat-failure.ts'

/** What WeChat says to a code of its button. `waitSeconds` is set if our own limit was reached. */
export type PhoneNumber =
  | { outcome: 'accepted'; number: string }
  | { outcome: 'rejected' }
  | { outcome: 'unavailable'; waitSeconds?: number }

/** Exchanges codes of WeChat's button for phone numbers. */
export interface PhoneNumbers {
  /** @param from  the phone's address. Rejects with RedisUnavailable. */
  exchange(
    code: string,
    identity: OutsideIdentity,
    wechat: Pick<Wechat, 'phoneNumber'>,
    from: string,
  ): Promise<PhoneNumber>
}

export interface PhoneNumbersDeps {
  redis: Pick<RedisClients, 'data' | 'keys'>
  /** A code is one more call to WeChat, and anybody can invent it. */
  phoneCodes: PhoneCodes
  log: Logger
}

/** How long a code is good at WeChat. */
const LIFE_SECONDS = 300

/**
 * WeChat takes each code once, and the operator has paid for it when the person pressed the button. So what
 * WeChat said is kept as long as the code would have lived. If the business then does not answer, or the
 * answer is lost, the phone repeats its request, and the business is told the same number. It is given to the
 * same identity only.
 */
export const createPhoneNumbers = (
  { redis: { data, keys }, phoneCodes, log }: PhoneNumbersDeps,
  secrets: readonly [string, ...string[]],
): PhoneNumbers => {
  const seal = createQuickSeal({ secrets, purpose: 'saoma phone numbers' })

  return {
    exchange: async (code, { provider, app, id }, wechat, from) => {
      const key = keys.phoneNumber(hash('sha256', code, 'base64url'))
      const owner = JSON.stringify([provider, app, id])
      const recall = async (): Promise<PhoneNumber | undefined> => {
        const sealed = await orUnavailable(data.get(key))
        const known = sealed === null ? undefined : seal.open(sealed)
        return known?.endsWith(owner) ? { outcome: 'accepted', number: known.slice(0, -owner.length) } : undefined
      }
      const known = await recall()
      if (known) return known

      const admitted = await phoneCodes.ask(from)
      if (!admitted.ok) return { outcome: 'unavailable', waitSeconds: admitted.seconds }
      let isAccepted = true
      try {
        const asked = await wechat.phoneNumber(code)
        if (!asked.ok) {
          // Another request of this phone may have been at WeChat with the code a moment before.
          const meanwhile = asked.kind === 'rejected' ? await recall() : undefined
          if (meanwhile) return meanwhile
          logFailure(asked, log)
          // A failure of WeChat does not count against the client.
          isAccepted = asked.kind !== 'rejected'
          return { outcome: isAccepted ? 'unavailable' : 'rejected' }
        }
        // Without it the person would have to press the button again, and no more.
        await data.set(key, seal.close(`${asked.phoneNumber}${owner}`), 'EX', LIFE_SECONDS).catch(() => {})
        return { outcome: 'accepted', number: asked.phoneNumber }
      } finally {
        await admitted.answered(isAccepted)
      }
    },
  }
}

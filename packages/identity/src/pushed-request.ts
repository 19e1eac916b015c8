import type { Adapter } from './oidc-provider.ts'

/** The provider's name for a request that an application sends to a person's phone. */
export const PUSHED = 'BackchannelAuthenticationRequest'

/** The records of one kind. A device code has the form of such a request, and lies in the same place. */
export const ofKind = (kind: string, records: Adapter): Adapter => ({
  ...records,
  find: async (id) => {
    const found = await records.find(id)
    return found && found.kind === kind ? found : undefined
  },
})

/** A line of text that both screens display. Longer ones would be read by nobody. */
const MESSAGE = /^[\p{L}\p{N}\p{P}\p{S} ]{1,40}$/u

/** Whether an application may have its text displayed on the phone. */
export const isMessage = (text: string): boolean => MESSAGE.test(text) && text.trim() === text

/** What the phone displays of such a request. */
export const messageOf = (params: unknown): { message?: string } => {
  const { binding_message: message } = Object(params) as { binding_message?: unknown }
  return typeof message === 'string' && message !== '' ? { message } : {}
}

/** A subscription message on a person's phone. */
export interface Message {
  to: string
  template: string
  page?: string | undefined
  data: Record<string, { value: string }>
}

/** Messages that are kept for whoever asks. */
const REMEMBERED = 1_000

/** Subscription messages. Each consent of a person (`wx.requestSubscribeMessage`) is good for one. */
export const createMessages = () => {
  const consents = new Map<string, number>()
  const sent: Message[] = []
  let id = 0
  const nameOf = (to: string, template: string): string => `${to} ${template}`

  return {
    /** A person agrees to one more message of a template. */
    agree: (to: string, template: string): void => {
      const name = nameOf(to, template)
      consents.set(name, (consents.get(name) ?? 0) + 1)
    },

    /** Returns an errcode if the person has not agreed to a message, or has had it. */
    send: (message: Message): { id: number } | number => {
      const name = nameOf(message.to, message.template)
      const left = consents.get(name) ?? 0
      if (left === 0) return 43101
      consents.set(name, left - 1)
      sent.push(message)
      if (sent.length > REMEMBERED) sent.shift()
      return { id: ++id }
    },

    /** The latest messages, oldest first. */
    last: (): readonly Message[] => sent,
  }
}

export type Messages = ReturnType<typeof createMessages>

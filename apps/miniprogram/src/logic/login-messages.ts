import type { WxApp } from './wx-app.ts'

/**
 * The person's consent to a message of WeChat about the next request to log in. WeChat asks the person, and
 * only while a tap is handled. Each consent is good for one message, so there is a new one after each login.
 */
export interface LoginMessages {
  /** Whether the person can be asked. */
  readonly isOffered: boolean
  /**
   * Asks. To be called by the handler of a tap, before anything is waited for. `answered` is called once,
   * with whether there will be a message.
   */
  ask(answered: (isAgreed: boolean) => void): void
}

/**
 * WeChat's numbers for what an operator cannot mend: the network, a program in the background, a person who
 * takes no messages at all. Others are mistakes, such as 20001, there is no such template.
 */
const USUAL: readonly (number | undefined)[] = [10_002, 10_003, 10_005, 20_004]

/** @param template  id of the template. Empty: nobody is asked */
export const createLoginMessages = (wx: Pick<WxApp, 'requestSubscribeMessage'>, template: string): LoginMessages => ({
  isOffered: template !== '' && typeof wx.requestSubscribeMessage === 'function',
  ask: (answered) => {
    /** An operator has to see it. */
    const complain = (what: string) => console.warn(`Saoma: no consent to messages, ${what}`)
    try {
      wx.requestSubscribeMessage?.({
        tmplIds: [template],
        success: ({ [template]: answer, errMsg }) => {
          // With a sound too, if the person chose that: `acceptWithAudio`.
          const isAgreed = answer?.startsWith('accept') ?? false
          if (!isAgreed && answer !== 'reject') complain(answer ?? errMsg ?? 'no answer')
          answered(isAgreed)
        },
        fail: ({ errMsg, errCode }) => {
          if (!USUAL.includes(errCode) && !/cancel|deny/.test(errMsg)) complain(errMsg)
          answered(false)
        },
      })
    } catch (error) {
      complain(String(error))
      answered(false)
    }
  },
})

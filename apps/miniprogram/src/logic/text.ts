import { codes } from '@saoma/protocol'
import { fill, type Language, languageOf } from './language.ts'
import type { Change, Dish } from './order.ts'
import { en } from './words-en.ts'
import { zh } from './words-zh.ts'

/** The texts of the pages, in one language. */
export interface Text {
  readonly language: Language
  readonly words: typeof zh
  fill(sentence: string, values: Record<string, string | number>): string
  /** Text for the code of a failure. */
  sayCode(code: string): string
  /** Text for a refusal of the shop. */
  sayRefusal(code: string): string
  /** The age of an ISO 8601 time of the server; never negative. */
  sayAge(isoTime: string): string
  sayChange(change: Change, menu: readonly Dish[]): string
  /** @param fen  hundredths of a yuan */
  sayMoney(fen: number): string
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * @param named  the phone's language, as WeChat names it
 * @param now    the server's time, in milliseconds since 1970
 */
export const createText = (named: string | undefined, now: () => number = Date.now): Text => {
  const language = languageOf(named)
  const words = language === 'zh' ? zh : en

  return {
    language,
    words,
    fill,
    sayCode: (code) => {
      if (code in codes) return codes[code as keyof typeof codes].say[language]
      return words.codes[code as keyof typeof words.codes] ?? words.codes.other
    },
    sayRefusal: (code) => words.refusals[code as keyof typeof words.refusals] ?? words.refusals.other,
    sayAge: (isoTime) => {
      const seconds = Math.max(0, Math.round((now() - Date.parse(isoTime)) / 1_000))
      if (!Number.isFinite(seconds)) return words.unknown
      if (seconds < 5) return words.justNow
      if (seconds < 2 * MINUTE) return fill(words.secondsAgo, { n: seconds })
      if (seconds < 2 * HOUR) return fill(words.minutesAgo, { n: Math.floor(seconds / MINUTE) })
      if (seconds < 2 * DAY) return fill(words.hoursAgo, { n: Math.floor(seconds / HOUR) })
      return fill(words.daysAgo, { n: Math.floor(seconds / DAY) })
    },
    sayChange: (change, menu) => {
      const { changes } = words.table
      const { name } = change.author
      if (change.kind !== 'line') return fill(changes[change.kind], { name })
      const dish = menu.find(({ id }) => id === change.dish)?.name[language] ?? change.dish
      if (!change.line) return fill(changes.gone, { name, dish })
      const { quantity, note } = change.line
      return fill(note ? changes.noted : changes.line, { name, dish, quantity, note })
    },
    sayMoney: (fen) => `¥${(fen / 100).toFixed(2)}`,
  }
}

// The site carries these functions as text. So they use nothing that is outside of them.

/**
 * Words of a text, for the search. Chinese has no blanks between words: from 扫码登录 it makes 扫码, 码登, 登录
 * and 录. So any two characters that stand side by side are found, and by its beginning any single one. The
 * dictionaries of `Intl.Segmenter` would make better words, but the index is made by another engine than the
 * one that searches, and two dictionaries cut differently.
 */
export const tokenize = (text: string): string[] =>
  text
    .split(/[\n\r\p{Z}\p{P}\p{S}]+/u)
    .flatMap((part) => part.split(/(\p{Script=Han}+)/u))
    .filter((part) => part !== '')
    .flatMap((part) => {
      if (!/\p{Script=Han}/u.test(part)) return [part]
      const signs = [...part]
      return signs.map((sign, i) => sign + (signs[i + 1] ?? ''))
    })

/** The same for what somebody looks for. The last character stands alone only if it is all there is. */
export const tokenizeQuery = (text: string): string[] =>
  text
    .split(/[\n\r\p{Z}\p{P}\p{S}]+/u)
    .flatMap((part) => part.split(/(\p{Script=Han}+)/u))
    .filter((part) => part !== '')
    .flatMap((part) => {
      const signs = [...part]
      if (!/\p{Script=Han}/u.test(part) || signs.length === 1) return [part]
      return signs.slice(1).map((sign, i) => (signs[i] ?? '') + sign)
    })

/** Pages that explain come before pages that list. `id` is the address of a section. */
export const weightOf = (id: string): number =>
  /\/(?:api|rules)\/|\/(?:decisions|surprises|contributing|changes)(?:#|$)/.test(id) ? 0.3 : 1

/*
 * A double cannot hold every 64-bit id, and JSON.parse rounds silently. Data that is only passed on must keep
 * its numbers as they were written. So each number that a double would change is replaced by V8's raw JSON,
 * which JSON.stringify writes unchanged. Browsers before 2023 and WeChat lack raw JSON; only the servers use
 * it.
 */

/**
 * A cheap check whether a text of JSON may contain a number that JSON.parse changes. If in doubt, it says
 * yes.
 *
 * @example
 * ```ts
 * import { mayBeInexact } from '@saoma/protocol'
 *
 * console.log(mayBeInexact('{"id":9007199254740993}')) // -> true
 * console.log(mayBeInexact('{"id":17}')) // -> false
 * ```
 */
export const mayBeInexact = (text: string): boolean => /[\d.]{16}|\d[eE][-+]?\d/.test(text)

/** A canonical form of a number: `1.50e3` and `1500` are both `15e2`. */
const canonical = (text: string): string | undefined => {
  const [whole, sign, integer = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? []
  if (whole === undefined) return undefined
  const digits = (integer + fraction).replace(/^0+/, '')
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return end === 0 ? '0' : `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`
}

interface RawJson {
  /** Creates a value that JSON.stringify writes as this text. */
  rawJSON(text: string): unknown
  /** Absent where JavaScript has no raw JSON: Node 20, WeChat. There nothing is such a value. */
  isRawJSON?(value: unknown): boolean
}
const json = JSON as unknown as RawJson

/**
 * A reviver for JSON.parse: a number that a double would change becomes raw JSON, which JSON.stringify
 * writes as it was. Where JavaScript has no raw JSON, such as in WeChat, the number is rounded as ever.
 *
 * @example
 * ```ts
 * import { reviveExact } from '@saoma/protocol'
 *
 * const data = JSON.parse('{"id":9007199254740993}', reviveExact)
 * console.log(JSON.stringify(data)) // -> {"id":9007199254740993}
 * ```
 */
export const reviveExact = (_key: string, value: unknown, context?: { source?: string }): unknown => {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value
  if (canonical(String(value)) === canonical(source)) return value
  return json.rawJSON(source)
}

/**
 * Whether a number exceeds a double, about 1.8e308. Readers in other languages could reject the whole
 * document because of it.
 *
 * @example
 * ```ts
 * import { isBeyond } from '@saoma/protocol'
 *
 * console.log(isBeyond(JSON.parse('1e999'))) // -> true
 * console.log(isBeyond(17)) // -> false
 * ```
 */
export const isBeyond = (value: unknown): boolean => typeof value === 'number' && !Number.isFinite(value)

/**
 * Like JSON.parse, but JSON.stringify writes the result with every number unchanged. Throws a SyntaxError
 * for text that is not JSON.
 *
 * @example
 * ```ts
 * import { parseExact } from '@saoma/protocol'
 *
 * const data = parseExact('{"id":9007199254740993}')
 * console.log(JSON.stringify(data)) // -> {"id":9007199254740993}
 * console.log(JSON.stringify(JSON.parse('{"id":9007199254740993}'))) // -> {"id":9007199254740992}
 * ```
 */
export const parseExact = (text: string): unknown =>
  mayBeInexact(text) ? JSON.parse(text, reviveExact) : JSON.parse(text)

/**
 * Like `parseExact`, for data of others. Throws a SyntaxError for text that is not JSON, and a RangeError,
 * with the key, for a number that exceeds a double.
 *
 * @example
 * ```ts
 * import { readExact } from '@saoma/protocol'
 *
 * try {
 *   readExact('{"price":1e999}')
 * } catch (error) {
 *   console.log(String(error))
 *   // -> RangeError: price is 1e999, which is beyond what a number can be: send it as a string
 * }
 * ```
 */
export const readExact = (text: string): unknown =>
  mayBeInexact(text)
    ? JSON.parse(text, (key: string, value: unknown, context?: { source?: string }) => {
        if (isBeyond(value)) throw new RangeError(sayBeyond(key, context?.source))
        return reviveExact(key, value, context)
      })
    : JSON.parse(text)

/**
 * The sentence for a number that exceeds a double.
 *
 * @param key  where it stands; empty for the document itself
 * @param source  the number as it was written; the first 32 characters are quoted
 *
 * @example
 * ```ts
 * import { sayBeyond } from '@saoma/protocol'
 *
 * console.log(sayBeyond('price', '1e999'))
 * // -> price is 1e999, which is beyond what a number can be: send it as a string
 * ```
 */
export const sayBeyond = (key: string, source = 'a number'): string =>
  `${key || 'the data'} is ${source.slice(0, 32)}, which is beyond what a number can be: send it as a string`

/**
 * A number as it was written, of any size; undefined for any other value.
 *
 * @example
 * ```ts
 * import { exactText, parseExact } from '@saoma/protocol'
 *
 * console.log(exactText(parseExact('9007199254740993'))) // -> 9007199254740993
 * console.log(exactText('17')) // -> undefined
 * ```
 */
export const exactText = (value: unknown): string | undefined => {
  if (typeof value === 'number') return String(value)
  return json.isRawJSON?.(value) ? JSON.stringify(value) : undefined
}

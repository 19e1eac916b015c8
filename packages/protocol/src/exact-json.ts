/*
 * A double cannot hold every 64-bit id, and JSON.parse rounds silently. Data that is only passed on must keep
 * its numbers as they were written. So each number that a double would change is replaced by V8's raw JSON,
 * which JSON.stringify writes unchanged. Browsers before 2023 and WeChat lack raw JSON; only the servers use
 * it.
 */

/** A cheap check whether a text may contain a number that JSON.parse changes. */
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
  isRawJSON(value: unknown): boolean
}
const json = JSON as unknown as RawJson

/** A reviver for JSON.parse. */
export const reviveExact = (_key: string, value: unknown, context?: { source?: string }): unknown => {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value
  if (canonical(String(value)) === canonical(source)) return value
  return json.rawJSON(source)
}

/**
 * Whether a number exceeds a double. Readers in other languages could reject the whole document because of
 * it.
 */
export const isBeyond = (value: unknown): boolean => typeof value === 'number' && !Number.isFinite(value)

/** Like JSON.parse, but JSON.stringify writes the result with every number unchanged. */
export const parseExact = (text: string): unknown =>
  mayBeInexact(text) ? JSON.parse(text, reviveExact) : JSON.parse(text)

/** Like `parseExact`. @throws RangeError for a number that exceeds a double, with its key */
export const readExact = (text: string): unknown =>
  mayBeInexact(text)
    ? JSON.parse(text, (key: string, value: unknown, context?: { source?: string }) => {
        if (isBeyond(value)) throw new RangeError(sayBeyond(key, context?.source))
        return reviveExact(key, value, context)
      })
    : JSON.parse(text)

export const sayBeyond = (key: string, source = 'a number'): string =>
  `${key || 'the data'} is ${source.slice(0, 32)}, which is beyond what a number can be: send it as a string`

/** A number as it was written, of any size; undefined for any other value. */
export const exactText = (value: unknown): string | undefined => {
  if (typeof value === 'number') return String(value)
  return json.isRawJSON(value) ? JSON.stringify(value) : undefined
}

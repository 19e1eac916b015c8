/*
 * A double holds no 64-bit id, and JSON.parse rounds one without a word. What is only passed on keeps its
 * numbers as they were written: each that a double changes is V8's raw JSON in the place of the number, and
 * JSON.stringify writes it again as it came. Needs what browsers before 2023 and WeChat have not: the servers
 * use it.
 */

/** Whether a text may hold a number that JSON.parse changes: a look that costs little. */
export const mayBeInexact = (text: string): boolean => /[\d.]{16}|\d[eE][-+]?\d/.test(text)

/** The same for every way to write a number: `1.50e3` and `1500` are `15e2`. */
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
  /** Makes a value that JSON.stringify writes as this text. */
  rawJSON(text: string): unknown
  isRawJSON(value: unknown): boolean
}
const json = JSON as unknown as RawJson

/** As the reviver of JSON.parse. */
export const reviveExact = (_key: string, value: unknown, context?: { source?: string }): unknown => {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value
  if (canonical(String(value)) === canonical(source)) return value
  return json.rawJSON(source)
}

/**
 * What no number of the common languages can hold: a reader of any other would lose the whole document over
 * it.
 */
export const isBeyond = (value: unknown): boolean => typeof value === 'number' && !Number.isFinite(value)

/** As JSON.parse, and what it gives is written again by JSON.stringify with every number as it was. */
export const parseExact = (text: string): unknown =>
  mayBeInexact(text) ? JSON.parse(text, reviveExact) : JSON.parse(text)

/** As `parseExact`. @throws RangeError for a number that is beyond all, with its key */
export const readExact = (text: string): unknown =>
  mayBeInexact(text)
    ? JSON.parse(text, (key: string, value: unknown, context?: { source?: string }) => {
        if (isBeyond(value)) throw new RangeError(sayBeyond(key, context?.source))
        return reviveExact(key, value, context)
      })
    : JSON.parse(text)

export const sayBeyond = (key: string, source = 'a number'): string =>
  `${key || 'the data'} is ${source.slice(0, 32)}, which is beyond what a number can be: send it as a string`

/** A number as it was written, whatever size it has; undefined for what is no number. */
export const exactText = (value: unknown): string | undefined => {
  if (typeof value === 'number') return String(value)
  return json.isRawJSON(value) ? JSON.stringify(value) : undefined
}

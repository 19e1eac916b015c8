import { type Code, codes, type Refusal } from '@saoma/protocol'

/** What the outside needs to know of a refusal. */
export const refusal = (code: Code, retryAfter?: number): Refusal => ({
  ok: false,
  code,
  message: codes[code].say.en,
  react: codes[code].react,
  ...(retryAfter === undefined ? {} : { retryAfter }),
})

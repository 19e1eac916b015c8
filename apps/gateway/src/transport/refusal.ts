import { codes, type Failed, type Refusal } from '@saoma/protocol'

/** The public form of a refusal. */
export const refusal = ({ code, retryAfter, detail }: Omit<Failed, 'ok'>): Refusal => ({
  ok: false,
  code,
  message: detail ?? codes[code].say.en,
  react: codes[code].react,
  ...(retryAfter === undefined ? {} : { retryAfter }),
})

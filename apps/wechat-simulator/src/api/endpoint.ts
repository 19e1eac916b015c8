import type { State } from '../state.ts'

export interface Call {
  method: string
  query: URLSearchParams
  body: string
}

/** The result of an endpoint: an errcode, a JSON object or a picture. */
export type Answer = number | object | Buffer

/** One endpoint of WeChat. It checks a call in the same order as WeChat. */
export type Endpoint = (state: State, call: Call) => Answer | Promise<Answer>

/** The errcode for wrong credentials of an app. */
export const credentialError = (
  state: State,
  appid: string | null | undefined,
  secret: string | null | undefined,
): number | undefined => {
  if (appid !== state.appid) return 40013
  return secret === state.secret ? undefined : 40125
}

/** A JSON object, or undefined. */
export const parseObject = (text: string): object | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

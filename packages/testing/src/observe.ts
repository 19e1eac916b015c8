import type { Gateway } from './gateway.ts'
import { request } from './request.ts'

/** Reads in one `until`: each takes as long as whoever is asked takes to answer. */
const MOST_READS = 5_000

/** Reads again until the value is as wanted; for what tells of itself by no event. */
export const until = async <T>(read: () => Promise<T>, isWanted: (value: T) => boolean): Promise<T> => {
  let value = await read()
  for (let reads = 1; !isWanted(value); reads++) {
    if (reads === MOST_READS) throw new Error(`it never came to be so; the last was ${JSON.stringify(value)}`)
    value = await read()
  }
  return value
}

/** A metric without labels; NaN if there is none of that name. */
export const metricOf = async ({ internalOrigin }: Gateway, name: string): Promise<number> => {
  const { body } = await request<string>(`${internalOrigin}/metrics`)
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(body)?.[1])
}

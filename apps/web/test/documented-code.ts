import { documented } from '@saoma/testing'

const PRINTED = 'login.example.com'

/**
 * The code under a heading of a page, with this cluster's address in place of the printed one.
 *
 * @param count  how many blocks there have to be: a new one needs a test
 */
export const documentedCode = (origin: string, page: string, heading: string, count: number): string[] => {
  const blocks = documented(page, heading)
  expect([page, heading, blocks.length]).toEqual([page, heading, count])
  const { host } = new URL(origin)
  return blocks.map(({ code }) =>
    code.replaceAll(`https://${PRINTED}`, origin).replaceAll(`wss://${PRINTED}`, `ws://${host}`),
  )
}

import { hash } from 'node:crypto'

/** The keys that sign cookies, of the secrets of a node. The first one signs, all verify. */
export const cookieKeys = (secrets: readonly string[]): string[] =>
  secrets.map((secret) => hash('sha256', `saoma cookies ${secret}`, 'base64url'))

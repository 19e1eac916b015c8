import { readFileSync } from 'node:fs'

/** Of this gateway, as its package.json has it. */
export const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)

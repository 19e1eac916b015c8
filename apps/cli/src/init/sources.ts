import { readFileSync } from 'node:fs'

/** A file of this version, by its path below the root. The package has the same folders. */
export const readSource = (path: string): string =>
  readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')

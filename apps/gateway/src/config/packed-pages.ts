import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const pages = new URL('../../../web/dist/', import.meta.url)

/**
 * The pages that the package `saoma` has beside its nodes; undefined in the repository, where they may be
 * older than their sources.
 */
export const packedPages = (): string | undefined =>
  import.meta.url.endsWith('.js') && existsSync(pages) ? fileURLToPath(pages) : undefined

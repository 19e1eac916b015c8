import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'vitepress'
import { type StageOptions, stageSite } from './stage.ts'

/** Where the site is built by default. */
export const siteFolder: string = fileURLToPath(new URL('../dist', import.meta.url))

export interface BuildOptions extends StageOptions {
  /** The folder of the site. What is in it is replaced. */
  out: string
}

/** Builds the whole site. Rejects if a page links to a page that is not there. */
export const buildSite = async ({ out, ...options }: BuildOptions): Promise<void> => {
  const stage = await stageSite(options)
  try {
    await build(stage, { outDir: out, emptyOutDir: true })
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

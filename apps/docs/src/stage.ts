import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pictureLinks, targetOf } from './links.ts'
import { outlineOf } from './markdown.ts'
import { downloads, readSheets, type Sheet } from './pages.ts'
import { writeReference } from './reference.ts'
import { root } from './repository.ts'

/** Below this folder, so that what is staged finds the npm packages of this workspace. */
const stages = fileURLToPath(new URL('../.stage/', import.meta.url))
const source = new URL('.', import.meta.url).href
const themeFile = fileURLToPath(new URL('theme/theme.ts', import.meta.url))
const FAVICON = 'apps/web/public/favicon.svg'

export interface StageOptions {
  /** The path of the site on its host, with a slash at both ends. */
  base: string
  /** Told about each page that is not written yet, and each public function without a docstring. */
  say: (sentence: string) => void
}

const copy = async (file: string, to: string): Promise<void> => {
  await mkdir(dirname(to), { recursive: true })
  await cp(join(root, file), to)
}

/** The files of all pictures that pages show. */
const picturesOf = (sheets: readonly Sheet[]): string[] =>
  sheets.flatMap(({ file }) =>
    outlineOf(readFileSync(join(root, file), 'utf8'))
      .links.filter(({ isPicture }) => isPicture)
      .flatMap(({ href }) => targetOf(file, href)?.file ?? []),
  )

/**
 * Puts everything that VitePress reads into a new folder: the pages at their addresses, the API made of the
 * docstrings, pictures and downloads. Links are changed later, by the renderer (`render.ts`). The caller
 * removes the folder.
 */
export const stageSite = async ({ base, say }: StageOptions): Promise<string> => {
  await mkdir(stages, { recursive: true })
  const stage = await mkdtemp(join(stages, 'site-'))
  try {
    const { there, missing } = readSheets(root)
    for (const { file } of missing) say(`The page ${file} is not written yet, so the site is without it.`)
    await writeReference(join(stage, 'api'), say)
    for (const { file, address } of there) await copy(file, join(stage, `${address}.md`))
    for (const [file, link] of pictureLinks(picturesOf(there))) await copy(file, join(stage, 'public', link))
    for (const [file, address] of Object.entries(downloads)) await copy(file, join(stage, 'public', address))
    await copy(FAVICON, join(stage, 'public/favicon.svg'))
    // VitePress loads both by their places. It would make one file of the first and all that it imports; so
    // Node loads the rest.
    const files = {
      'config.mjs': [
        `const { href } = new URL('site.ts', ${JSON.stringify(source)})`,
        'const { siteConfig } = await import(href)',
        `export default siteConfig(${JSON.stringify({ base, stage })})\n`,
      ].join('\n'),
      'theme/index.ts': `export { theme as default } from ${JSON.stringify(themeFile)}\n`,
    }
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(stage, '.vitepress', name)), { recursive: true })
      await writeFile(join(stage, '.vitepress', name), text)
    }
    return stage
  } catch (error) {
    await rm(stage, { recursive: true, force: true })
    throw error
  }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the repository. */
export const root: string = fileURLToPath(new URL('../../../', import.meta.url))

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { repository: { url: string } }

/** Where the repository can be read, such as https://github.com/saoma/saoma. */
export const repository: string = manifest.repository.url.replace(/^git\+/, '').replace(/\.git$/, '')

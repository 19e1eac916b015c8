import { copyFile, mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The viewer, and the licences of what is in it. */
const FILES = [
  'swagger-ui-bundle.js',
  'swagger-ui.css',
  'swagger-ui-bundle.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
] as const

/**
 * Copies Swagger UI as it is published to `docs/viewer/`. It is not bundled: it is a finished file of 1.7 MB,
 * and files outside of `assets` are not stored in Redis for other nodes (D66).
 * @param root  the folder of this app
 * @param out  the folder of the built pages
 */
export const copyDocsViewer = async (root: string, out: string): Promise<void> => {
  const from = dirname(createRequire(join(root, 'package.json')).resolve('swagger-ui-dist/package.json'))
  const to = join(out, 'docs/viewer')
  await mkdir(to, { recursive: true })
  for (const file of FILES) await copyFile(join(from, file), join(to, file))
}

/*
 * Writes the API documents, which the pages carry and every node serves below /docs. They are made of the
 * schemas of the parsers and of the table of codes. A test fails if the files differ from what is made.
 *
 *   npm run api
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { createAsyncApi } from '@saoma/gateway/src/api/asyncapi.ts'
import { createOpenApi } from '@saoma/gateway/src/api/openapi.ts'
import { version } from '@saoma/gateway/src/operate/version.ts'

const folder = new URL('../apps/web/public/docs/', import.meta.url)

await mkdir(folder, { recursive: true })
for (const [name, document] of [
  ['openapi', createOpenApi(version)],
  ['asyncapi', createAsyncApi(version)],
] as const)
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(document, undefined, 2)}\n`)

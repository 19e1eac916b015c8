import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCode } from '@saoma/testing'

/*
 * Reads every picture of a folder, in a process of its own: inside Jest's sandbox it takes ten times as long.
 * A line of JSON for each.
 */
const [folder = ''] = process.argv.slice(2)
for (const name of readdirSync(folder)) {
  if (name.startsWith('.')) continue // The store's own mark.
  const bytes = readFileSync(join(folder, name))
  const hash = createHash('sha256').update(bytes).digest('base64')
  process.stdout.write(`${JSON.stringify({ hash, scene: readCode(bytes).scene })}\n`)
}

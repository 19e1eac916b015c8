/*
 * Imports the files that its arguments name, one after the other. What an example prints goes to standard
 * output, one JSON object a line.
 */

import { pathToFileURL } from 'node:url'
import { PRINT } from './example.ts'
import { textOf } from './transcript.ts'

const print = (title: string, line: number, ...values: unknown[]) =>
  process.stdout.write(`${JSON.stringify({ title, line, values: textOf(values) })}\n`)

Object.assign(globalThis, { [PRINT]: print })
for (const path of process.argv.slice(2)) await import(pathToFileURL(path).href)

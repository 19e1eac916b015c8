import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { cleanUp } from '@saoma/testing'
import { benchConfirm, confirmReport } from './confirm.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)
const results = await benchConfirm({ nodes: (process.argv[2] ?? '2').split(',').map(Number), pushes: 5000, onProgress: say })
say(confirmReport(results))
await cleanUp()

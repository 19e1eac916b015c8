import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { parseArgs, promisify } from 'node:util'
import { cleanUp } from '@saoma/testing'
import { benchConfirm, confirmReport } from './confirm.ts'
import { benchMemory, memoryReport } from './memory.ts'

const help = `npm run bench -- [confirm] [memory] [options]     without a name: both

  confirm             CPU that the push of a confirmed login costs across nodes, beside Socket.IO's classic Redis adapter
  memory              memory of a waiting browser, beside a bare ws server and Socket.IO as it comes

  --nodes 2,4,8,16    confirm: sizes of the clusters
  --pushes 5000       confirm: pushes of one round
  --sockets 10000     memory: waiting browsers
  --json FILE         write the figures to a file as well`

const options = {
  nodes: { type: 'string', default: '2,4,8,16' },
  pushes: { type: 'string', default: '5000' },
  sockets: { type: 'string', default: '10000' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const benches = ['confirm', 'memory']
/** Milliseconds. A machine that needs longer gives figures worth nothing. */
const LONGEST = { confirm: 240_000, memory: 180_000 }
/** Files a process has open besides its sockets. */
const OTHER_FILES = 200

/** What a person did wrong: one line is enough to tell. */
class UsageError extends Error {
  override readonly name = 'UsageError'
}

const count = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most)
    throw new UsageError(`--${name} takes whole numbers from ${least} to ${most}, not "${text}"`)
  return value
}

const readArguments = (args: readonly string[]) => {
  const { values, positionals } = (() => {
    try {
      return parseArgs({ args: [...args], options, allowPositionals: true })
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error))
    }
  })()
  const unknown = positionals.find((name) => !benches.includes(name))
  if (unknown) throw new UsageError(`there is no benchmark "${unknown}", only ${benches.join(' and ')}`)
  return {
    help: values.help,
    chosen: positionals.length > 0 ? positionals : benches,
    nodes: values.nodes.split(',').map((text) => count('nodes', text, 2, 64)),
    pushes: count('pushes', values.pushes, 100, 20_000),
    sockets: count('sockets', values.sockets, 100, 50_000),
    json: values.json,
  }
}

/** Node raises its own limit to the hard one, and its children inherit that. */
const assertOpenFiles = async (needed: number): Promise<void> => {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', 'ulimit -n'])
  const allowed = Number(stdout) || Number.POSITIVE_INFINITY
  if (allowed < needed)
    throw new UsageError(
      `a process may have ${allowed} files open here and the benchmark needs ${needed}: run "ulimit -n ${needed}" first, or use fewer --sockets`,
    )
}

const within = async <T>(work: Promise<T>, ms: number, name: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const say = () => reject(new Error(`${name} did not finish within ${ms / 1000} s: the machine is too busy for it`))
    timer = setTimeout(say, ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const say = (text: string) => process.stdout.write(`${text}\n`)
/** Not on stdout, which is for the tables. */
const onProgress = (sentence: string) => process.stderr.write(`${sentence}\n`)

const run = async (args: readonly string[]): Promise<void> => {
  const { help: wantsHelp, chosen, nodes, pushes, sockets, json } = readArguments(args)
  if (wantsHelp) {
    say(help)
    return
  }
  const figures: Record<string, unknown> = { date: new Date().toISOString(), node: process.version }
  if (chosen.includes('memory')) await assertOpenFiles(sockets + OTHER_FILES)
  if (chosen.includes('confirm')) {
    const results = await within(benchConfirm({ nodes, pushes, onProgress }), LONGEST.confirm, 'confirm')
    figures.confirm = results
    say(`\n${confirmReport(results)}\n`)
  }
  if (chosen.includes('memory')) {
    const result = await within(benchMemory({ sockets, onProgress }), LONGEST.memory, 'memory')
    figures.memory = result
    say(`\n${memoryReport(result)}\n`)
  }
  if (json) await writeFile(json, `${JSON.stringify(figures, undefined, 2)}\n`)
}

let ending: Promise<never> | undefined
/** The first reason to end is the one that counts: what breaks because of it is no news. */
const end = (code: number, reason?: string): Promise<never> => {
  ending ??= (async () => {
    if (reason) process.stderr.write(`${reason}\n`)
    await cleanUp().catch((error: unknown) => process.stderr.write(`${error}\n`))
    process.exit(code)
  })()
  return ending
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The second signal does not wait.
  process.once(signal, () => {
    process.once(signal, () => process.exit(1))
    void end(130)
  })
}
process.on('unhandledRejection', (error) => void end(1, String(error)))

run(process.argv.slice(2)).then(
  () => end(0),
  (error: unknown) =>
    end(1, error instanceof UsageError ? error.message : error instanceof Error ? error.stack : String(error)),
)

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { parseArgs, promisify } from 'node:util'
import { cleanUp } from '@saoma/testing'
import { applicationReport, benchApplication } from './application.ts'
import { benchConfirm, confirmReport } from './confirm.ts'
import { benchFanout, fanoutReport } from './fanout.ts'
import { benchLogin } from './login.ts'
import { loginReport } from './login-report.ts'
import { benchMemory, memoryReport } from './memory.ts'
import { benchPublish, publishReport } from './publish.ts'
import { benchPublishHttp, publishHttpReport } from './publish-http.ts'
import { benchShards, shardsReport } from './shards.ts'
import { benchSpread, spreadReport } from './spread.ts'

const help = `npm run bench -- [confirm] [publish] [publish-http] [fanout] [spread] [shards] [memory] [login] [application] [options]     without a name: all

  confirm             CPU that the push of a confirmed login costs across nodes, beside Socket.IO's classic Redis adapter
  publish             CPU that a message to one person costs across nodes, beside the same
  publish-http        CPU of such a message that is published over HTTP, beside the same and, if installed, Nchan
  fanout              CPU that a message to a full room costs, beside the same and, if its nginx module is installed, Nchan
  spread              the same for ours alone, with the readers on 2 nodes and on 16
  shards              CPU that such a message costs in each of three masters, beside one Redis
  memory              memory and CPU of a waiting browser, beside a bare ws server and Socket.IO as it comes
  login               CPU that one login costs, step by step, beside the least that its parts cost alone
  application         CPU of a login at a registered application, beside one on the own page

  --nodes 2,4,8,16    confirm, publish: sizes of the clusters
  --pushes 5000       confirm, publish, publish-http, shards: pushes of one round
  --readers 1000      fanout, spread: clients in the room on each of two nodes
  --messages 160      fanout, spread: messages of one round
  --sockets 10000     memory: waiting browsers
  --logins 300        login, application: logins of one round
  --json FILE         write the figures to a file as well`

const options = {
  nodes: { type: 'string', default: '2,4,8,16' },
  pushes: { type: 'string', default: '5000' },
  readers: { type: 'string', default: '1000' },
  messages: { type: 'string', default: '160' },
  sockets: { type: 'string', default: '10000' },
  logins: { type: 'string', default: '300' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const benches = ['confirm', 'publish', 'publish-http', 'fanout', 'spread', 'shards', 'memory', 'login', 'application']
/** Milliseconds. The figures of a machine that needs longer are worthless. */
const LONGEST = {
  confirm: 480_000,
  publish: 480_000,
  publishHttp: 480_000,
  fanout: 300_000,
  spread: 480_000,
  shards: 480_000,
  memory: 600_000,
  login: 900_000,
  application: 900_000,
}
/** Open files of a process besides its sockets. */
const OTHER_FILES = 200

/** A mistake of the user. One line explains it. */
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
  if (unknown) throw new UsageError(`there is no benchmark "${unknown}", only ${benches.join(', ')}`)
  return {
    help: values.help,
    chosen: positionals.length > 0 ? positionals : benches,
    nodes: values.nodes.split(',').map((text) => count('nodes', text, 2, 64)),
    pushes: count('pushes', values.pushes, 100, 20_000),
    readers: count('readers', values.readers, 10, 10_000),
    messages: count('messages', values.messages, 20, 1_000),
    sockets: count('sockets', values.sockets, 100, 50_000),
    logins: count('logins', values.logins, 50, 2_000),
    json: values.json,
  }
}

/** Node raises its own limit to the hard one. Its children inherit that limit. */
const assertOpenFiles = async (needed: number, option: string): Promise<void> => {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', 'ulimit -n'])
  const allowed = Number(stdout) || Number.POSITIVE_INFINITY
  if (allowed < needed)
    throw new UsageError(
      `a process may have ${allowed} files open here and the benchmark needs ${needed}: run "ulimit -n ${needed}" first, or ask for fewer ${option}`,
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
/** On stderr, because stdout is for the tables. */
const onProgress = (sentence: string) => process.stderr.write(`${sentence}\n`)

const run = async (args: readonly string[]): Promise<void> => {
  const { help: wantsHelp, chosen, nodes, pushes, readers, messages, sockets, logins, json } = readArguments(args)
  if (wantsHelp) {
    say(help)
    return
  }
  const figures: Record<string, unknown> = { date: new Date().toISOString(), node: process.version }
  if (chosen.includes('memory')) await assertOpenFiles(sockets + OTHER_FILES, '--sockets')
  if (chosen.includes('fanout') || chosen.includes('spread')) await assertOpenFiles(readers + OTHER_FILES, '--readers')
  if (chosen.includes('confirm')) {
    const results = await within(benchConfirm({ nodes, pushes, onProgress }), LONGEST.confirm, 'confirm')
    figures.confirm = results
    say(`\n${confirmReport(results)}\n`)
  }
  if (chosen.includes('publish')) {
    const results = await within(benchPublish({ nodes, pushes, onProgress }), LONGEST.publish, 'publish')
    figures.publish = results
    say(`\n${publishReport(results)}\n`)
  }
  if (chosen.includes('publish-http')) {
    const result = await within(benchPublishHttp({ pushes, onProgress }), LONGEST.publishHttp, 'publish-http')
    figures.publishHttp = result
    say(`\n${publishHttpReport(result)}\n`)
  }
  if (chosen.includes('fanout')) {
    const result = await within(benchFanout({ readers, messages, onProgress }), LONGEST.fanout, 'fanout')
    figures.fanout = result
    say(`\n${fanoutReport(result)}\n`)
  }
  if (chosen.includes('spread')) {
    const result = await within(
      benchSpread({ subscribers: 2 * readers, messages, onProgress }),
      LONGEST.spread,
      'spread',
    )
    figures.spread = result
    say(`\n${spreadReport(result)}\n`)
  }
  if (chosen.includes('shards')) {
    const result = await within(benchShards({ pushes, onProgress }), LONGEST.shards, 'shards')
    figures.shards = result
    say(`\n${shardsReport(result)}\n`)
  }
  if (chosen.includes('memory')) {
    const result = await within(benchMemory({ sockets, onProgress }), LONGEST.memory, 'memory')
    figures.memory = result
    say(`\n${memoryReport(result)}\n`)
  }
  if (chosen.includes('login')) {
    const result = await within(benchLogin({ logins, onProgress }), LONGEST.login, 'login')
    figures.login = result
    say(`\n${loginReport(result)}\n`)
  }
  if (chosen.includes('application')) {
    const result = await within(benchApplication({ logins, onProgress }), LONGEST.application, 'application')
    figures.application = result
    say(`\n${applicationReport(result)}\n`)
  }
  if (json) await writeFile(json, `${JSON.stringify(figures, undefined, 2)}\n`)
}

let ending: Promise<never> | undefined
/** Only the first reason counts. Later failures are its consequences. */
const end = (code: number, reason?: string): Promise<never> => {
  ending ??= (async () => {
    if (reason) process.stderr.write(`${reason}\n`)
    await cleanUp().catch((error: unknown) => process.stderr.write(`${error}\n`))
    process.exit(code)
  })()
  return ending
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The second signal ends the process at once.
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

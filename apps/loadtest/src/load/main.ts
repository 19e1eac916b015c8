import { randomBytes } from 'node:crypto'
import { appendFile, writeFile } from 'node:fs/promises'
import { cleanUp, ensurePrograms, startRedis } from '@saoma/testing'
import { attend } from './attend.ts'
import type { Outage } from './chaos.ts'
import { lead } from './lead.ts'
import { sourceAddress } from './network.ts'
import { type Options, readOptions } from './options.ts'
import type { Plan } from './plan.ts'
import { type Meeting, openMeeting } from './rendezvous.ts'
import { htmlReport } from './report/html.ts'
import { textReport } from './report/text.ts'
import { createResult } from './result.ts'
import { assertSaoma, startTarget, type Target } from './target.ts'
import { usage } from './usage.ts'
import { UsageError } from './usage-error.ts'
import { assertRoom, type Crew, startCrew } from './worker-pool.ts'

const FOLLOW_MS = 2_000

const NOT_MET = 1
const NOT_UNDERSTOOD = 2

const out = (text: string) => process.stdout.write(`${text}\n`)
/** On stderr, because stdout is for the result. */
const say = (sentence: string) => process.stderr.write(`${sentence}\n`)

const planOf = (options: Options, { url }: Target): Plan => {
  const { scenarios, rampMs, logins, phones, browsers, people, messages } = options
  const { subscribers, broadcasts, room, apiKey, phoneTokens, tokens } = options
  return {
    url,
    run: randomBytes(4).toString('hex'),
    scenarios,
    rampMs,
    ...{ logins, phones, browsers, people, messages, subscribers, broadcasts },
    ...{ room, apiKey, phoneTokens, tokens },
    patienceMs: options.patienceMs,
  }
}

/** A lower bound for the sockets that all workers have open at the same time. */
const socketsOf = ({ scenarios, browsers, people, subscribers }: Options): number =>
  (scenarios.includes('idle') ? browsers : 0) +
  (scenarios.includes('inbox') ? people : 0) +
  (scenarios.includes('fanout') ? subscribers : 0)

const leadRun = async (options: Options, meeting: Meeting, target: Target, crew: Crew): Promise<number> => {
  const plan = planOf(options, target)
  const outages: Outage[] = []
  const { machines, expectations, asked, scenarios, rampMs } = options
  const led = await Promise.race([
    lead(meeting, { plan, machines, say, during: (run) => attend({ options, target, plan, run, outages }) }),
    crew.broken,
  ])
  const { own } = target
  const result = createResult({
    ...led,
    ...{ url: plan.url, asked, scenarios, rampMs, machines, outages, expectations },
    ...(own ? { nodes: own.front.nodes.length, redis: own.store.kind } : {}),
    ...(options.faults.length > 0 ? { seed: options.seed } : {}),
  })
  out(textReport(result))
  if (options.json) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  if (options.html) await writeFile(options.html, await htmlReport(result))
  return result.met ? 0 : NOT_MET
}

/** Another machine leads, and the workers listen to it directly. Resolves with its exit code. */
const followRun = async (meeting: Meeting, hasLeader: () => Promise<boolean>, crew: Crew): Promise<number> => {
  say('Another machine leads this run and prints the result.')
  const wait = async (): Promise<number> => {
    for (;;) {
      const told = await meeting.told.next(FOLLOW_MS)
      if (told?.do === 'leave') {
        say(told.say)
        return told.code
      }
      if (!told && !(await hasLeader())) throw new Error('the leading machine of this run is gone')
    }
  }
  return Promise.race([wait(), crew.broken])
}

/** Fails before a run of ten minutes, not after it. */
const assertWritable = async (file: string | undefined): Promise<void> => {
  if (file === undefined) return
  await appendFile(file, '').catch((error: Error) => {
    throw new UsageError(`the result cannot be written: ${error.message}`)
  })
}

const run = async (options: Options): Promise<number> => {
  await assertWritable(options.json)
  await assertWritable(options.html)
  if (options.url) await assertSaoma(options.url)
  if (!options.url || !options.coordinator) await ensurePrograms(options.url ? ['redis'] : ['redis', 'nginx'], say)
  const ownAddresses = sourceAddress(options.url ?? 'http://127.0.0.1', 0) !== undefined
  await assertRoom(Math.ceil(socketsOf(options) / options.machines), options.workers, ownAddresses)
  const coordinator = options.coordinator ?? (await startRedis()).url
  const { meeting, leads, hasLeader } = await openMeeting(coordinator, options.run ?? 'run')
  const machine = randomBytes(4).toString('hex')
  const { workers } = options
  const starting = startCrew(meeting, { coordinator, machine, workers, say })
  if (!leads) return followRun(meeting, hasLeader, await starting)
  // Printed at the beginning too, because a failed run has no report.
  if (options.faults.length > 0) say(`The faults are drawn by --seed ${options.seed}, on ${options.redis} Redis.`)
  const [target, crew] = await Promise.all([startTarget(options, socketsOf(options)), starting])
  const leave = (code: number, text: string) => meeting.told.write({ do: 'leave', code, say: text })
  try {
    const code = await leadRun(options, meeting, target, crew)
    await leave(code, code === 0 ? 'All was as expected.' : 'Not all was as expected.')
    return code
  } catch (error) {
    await leave(NOT_MET, `The run failed: ${error instanceof Error ? error.message : error}`)
    throw error
  }
}

const main = async (): Promise<number> => {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options !== 'help') return run(options)
  out(usage)
  return 0
}

let ending: Promise<never> | undefined
/** Only the first reason counts. Later failures are its consequences. */
const end = (code: number, reason?: string): Promise<never> => {
  ending ??= (async () => {
    if (reason) say(reason)
    await cleanUp().catch((error: unknown) => say(String(error)))
    process.exit(code)
  })()
  return ending
}

const failed = (error: unknown): Promise<never> => {
  if (error instanceof UsageError) return end(NOT_UNDERSTOOD, error.message)
  return end(NOT_MET, error instanceof Error ? error.message : String(error))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // The second signal ends the process at once.
    process.once(signal, () => process.exit(1))
    void end(130)
  })
}
process.on('unhandledRejection', (error) => void failed(error))

main().then((code) => end(code), failed)

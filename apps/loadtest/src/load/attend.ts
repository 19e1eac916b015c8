import { setTimeout as delay } from 'node:timers/promises'
import { createCanary } from './canary.ts'
import { awaitGreen, type Outage, runChaos } from './chaos.ts'
import type { Underway } from './lead.ts'
import type { Options } from './options.ts'
import type { Plan } from './plan.ts'
import { showProgress } from './progress.ts'
import type { Target } from './target.ts'

export interface Attended {
  options: Options
  target: Target
  plan: Plan
  run: Underway
  /** Receives an entry for each fault of the run. */
  outages: Outage[]
}

/** Runs beside the load: shows progress, causes faults or a storm, and ends at the end of the run. */
export const attend = async ({ options, target, plan, run, outages }: Attended): Promise<void> => {
  const { rampMs, durationMs, downMs, calmMs, faults, shuffles, seed, room } = options
  const { own } = target
  const endMs = rampMs + durationMs
  const progress = showProgress(process.stderr, run, { endMs, outage: () => outages.at(-1) })
  const isWhole = () => run.crowd().connected >= run.crowd().wanted
  const until = (ms: number) => delay(Math.max(0, ms - run.now()))

  const faultsInTurn = async (): Promise<void> => {
    if (!own) return
    const canary = await createCanary(plan.url, plan.run, plan.apiKey)
    await until(rampMs)
    await runChaos({
      ...own,
      ...{ canary, faults, shuffles, seed, busiest: room, durationMs, downMs, calmMs },
      ...{
        now: run.now,
        isWhole,
        arrivedUntil: () => run.crowd().arrivedUntil,
        onOutage: (outage) => void outages.push(outage),
      },
    })
    await canary.close()
  }

  const storm = async (): Promise<void> => {
    await until(rampMs + durationMs / 2)
    const from = run.now()
    const outage: Outage = { fault: 'storm', what: `${options.browsers} browsers`, from, to: from }
    outages.push(outage)
    await run.storm()
    await awaitGreen(outage, [{ sockets: isWhole }], run.now)
  }

  try {
    if (faults.length > 0) await faultsInTurn()
    else if (options.storm) await storm()
    await until(endMs)
  } finally {
    progress.close()
  }
}

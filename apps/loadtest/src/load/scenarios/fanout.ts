import { type Listener, openListener } from '../listener.ts'
import { createDemos, holdersOf, type Person } from '../people.ts'
import { partOf, shareOf } from '../plan.ts'
import type { CreateScenario } from '../scenario.ts'
import { type Schedule, spread, startSchedule } from '../schedule.ts'
import { createSender } from '../sender.ts'

/** Distinct people among a worker's subscribers. A person may have the room open in several tabs. */
const PEOPLE = 10

/** One room with subscribers from all workers. Each worker also publishes into it. */
export const createFanoutScenario: CreateScenario = (deps) => {
  const { plan, share, clock, recorder, network, ledger } = deps
  const send = createSender(deps, 'broadcast')
  const count = shareOf(plan.subscribers, share)
  const timers: NodeJS.Timeout[] = []
  let people: Person[] = []
  let present: Listener[] = []
  let schedule: Schedule | undefined

  const open = (person: Person) => {
    const name = `subscriber ${present.length} of worker ${share.index}`
    const listener = openListener(deps, {
      url: plan.url,
      person,
      channel: plan.room,
      reader: ledger.addReader(plan.room, name),
      onMessage: (_, __, { dueAt }) => recorder.time('fanout', clock.now() - dueAt),
    })
    present.push(listener)
  }

  return {
    get connected() {
      return present.filter(({ live }) => live).length
    },
    get wanted() {
      return present.length
    },
    prepare: async () => {
      const names = Array.from(
        { length: Math.min(PEOPLE, count) },
        (_, i) => `load-${plan.run}-${share.index}-room-${i}`,
      )
      people =
        plan.tokens.length > 0
          ? holdersOf(partOf(plan.tokens, share))
          : await createDemos(network, plan.url, 'miniprogram', names)
      if (count > 0 && people.length === 0)
        throw new Error('there are fewer tokens than workers: each worker needs one of its own')
    },
    begin: (at) => {
      spread(count, plan.rampMs).forEach((afterMs, i) => {
        const person = people[i % people.length]
        if (person) timers.push(setTimeout(() => open(person), Math.max(0, at + afterMs - clock.now())))
      })
      const { rampMs } = plan
      const phase = (share.index + 1) / share.of
      schedule = startSchedule(
        { clock, recorder },
        { perSecond: plan.broadcasts / share.of, rampMs, at, phase, act: (dueAt) => send(plan.room, dueAt) },
      )
    },
    end: async () => {
      for (const timer of timers) clearTimeout(timer)
      await schedule?.end()
    },
    close: () => {
      for (const listener of present) listener.close()
      present = []
    },
  }
}

import { logIn } from '../one-login.ts'
import { createDemos, holdersOf, type Person } from '../people.ts'
import { partOf, shareOf } from '../plan.ts'
import type { CreateScenario } from '../scenario.ts'
import { type Schedule, startSchedule } from '../schedule.ts'

/** People who log in at a steady rate: code, watch, scan, confirm, redeem. */
export const createLoginScenario: CreateScenario = ({ plan, share, clock, recorder, network, onFault, onRescan }) => {
  let phones: Person[] = []
  let schedule: Schedule | undefined
  let turn = 0

  const act = async (dueAt: number) => {
    const phone = phones[turn++ % phones.length]
    if (!phone) return
    const { url, patienceMs } = plan
    const ended = await logIn({ url, network, clock, onTime: recorder.time, patienceMs }, phone, dueAt)
    switch (ended.end) {
      case 'done':
        return recorder.count('logins')
      case 'rescan':
        recorder.count('rescans')
        return onRescan(ended)
      case 'wrong':
        recorder.count('wrong')
        return onFault('wrong', ended.say)
      case 'lost':
        recorder.count('lost')
        onFault('lost', ended.say)
        return recorder.error(ended.kind)
      case 'failed':
        return recorder.error(ended.kind)
    }
  }

  return {
    connected: 0,
    wanted: 0,
    prepare: async () => {
      const names = Array.from(
        { length: Math.max(1, shareOf(plan.phones, share)) },
        (_, i) => `load-${plan.run}-${share.index}-phone-${i}`,
      )
      phones =
        plan.phoneTokens.length > 0
          ? holdersOf(partOf(plan.phoneTokens, share))
          : await createDemos(network, plan.url, 'phone', names)
      if (phones.length === 0)
        throw new Error('there are fewer phone tokens than workers: each worker needs one of its own')
    },
    begin: (at) => {
      const { rampMs } = plan
      const phase = (share.index + 1) / share.of
      schedule = startSchedule({ clock, recorder }, { perSecond: plan.logins / share.of, rampMs, at, phase, act })
    },
    end: async () => schedule?.end(),
    close: () => {},
  }
}

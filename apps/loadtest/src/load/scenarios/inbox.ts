import { OWN_CHANNEL, userChannel } from '@saoma/protocol'
import { type Listener, openListener } from '../listener.ts'
import { createDemos, holdersOf, type Person } from '../people.ts'
import { partOf, shareOf } from '../plan.ts'
import type { CreateScenario } from '../scenario.ts'
import { type Schedule, spread, startSchedule } from '../schedule.ts'
import { createSender } from '../sender.ts'

/** People who follow their own channels, and messages to one of them at a time. */
export const createInboxScenario: CreateScenario = (deps) => {
  const { plan, share, clock, recorder, network, ledger } = deps
  const send = createSender(deps, 'publish')
  const timers: NodeJS.Timeout[] = []
  let people: Person[] = []
  let present: { channel: string; listener: Listener }[] = []
  let schedule: Schedule | undefined

  const open = (person: Person) => {
    const channel = userChannel(person.sub)
    let reading = false
    const listener = openListener(deps, {
      url: plan.url,
      person,
      channel: OWN_CHANNEL,
      reader: ledger.addReader(channel, person.sub),
      onMessage: (room, offset, { dueAt }) => {
        const now = clock.now()
        recorder.time('deliver', now - dueAt)
        // One read at a time: a person marks all unread messages in one call.
        if (reading) return
        reading = true
        room
          .read(offset)
          .then((answer) =>
            answer.ok ? recorder.time('read', clock.now() - now) : recorder.error(`read: ${answer.code}`),
          )
          .finally(() => {
            reading = false
          })
      },
    })
    present.push({ channel, listener })
  }

  const publish = async (dueAt: number) => {
    const to = present[Math.floor(Math.random() * present.length)]
    // In the first moments of a ramp nobody has joined yet.
    if (!to?.listener.joined) return
    await send(to.channel, dueAt)
  }

  return {
    get connected() {
      return present.filter(({ listener }) => listener.live).length
    },
    get wanted() {
      return present.length
    },
    prepare: async () => {
      const count = shareOf(plan.people, share)
      const names = Array.from({ length: count }, (_, i) => `load-${plan.run}-${share.index}-${i}`)
      people =
        plan.tokens.length > 0
          ? holdersOf(partOf(plan.tokens, share)).slice(0, count)
          : await createDemos(network, plan.url, 'miniprogram', names)
    },
    begin: (at) => {
      spread(people.length, plan.rampMs).forEach((afterMs, i) => {
        const person = people[i]
        if (person) timers.push(setTimeout(() => open(person), Math.max(0, at + afterMs - clock.now())))
      })
      const { rampMs } = plan
      const phase = (share.index + 1) / share.of
      schedule = startSchedule(
        { clock, recorder },
        { perSecond: plan.messages / share.of, rampMs, at, phase, act: publish },
      )
    },
    end: async () => {
      for (const timer of timers) clearTimeout(timer)
      await schedule?.end()
    },
    close: () => {
      for (const { listener } of present) listener.close()
      present = []
    },
  }
}

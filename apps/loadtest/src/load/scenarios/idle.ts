import { shareOf } from '../plan.ts'
import type { CreateScenario } from '../scenario.ts'
import { spread } from '../schedule.ts'
import { openWaitingBrowser, type WaitingBrowser } from '../waiting-browser.ts'

/** The server pings every 25 s. A browser that hears nothing for this long has lost its connection. */
const SILENCE_MS = 60_000
const CHECK_MS = 5_000
/** Interval at which due browsers are opened. */
const STEP_MS = 10

/** Browsers that show a code and wait. They get a new code when theirs expires. */
export const createIdleScenario: CreateScenario = ({ plan, share, clock, recorder, network }) => {
  const browsers: WaitingBrowser[] = []
  let connected = 0
  let opener: NodeJS.Timeout | undefined
  let checker: NodeJS.Timeout | undefined

  const open = (dueAt: number) => {
    recorder.time('late', clock.now() - dueAt)
    const { url, patienceMs } = plan
    const onWatching = (watching: boolean) => {
      connected += watching ? 1 : -1
    }
    browsers.push(openWaitingBrowser({ clock, recorder, network }, { url, dueAt, patienceMs, onWatching }))
  }

  return {
    get connected() {
      return connected
    },
    get wanted() {
      return browsers.length
    },
    prepare: async () => {},
    begin: (at) => {
      const due = spread(shareOf(plan.browsers, share), plan.rampMs)
      opener = setInterval(() => {
        for (
          let next = due[browsers.length];
          next !== undefined && at + next <= clock.now();
          next = due[browsers.length]
        )
          open(at + next)
        if (browsers.length === due.length) clearInterval(opener)
      }, STEP_MS)
      checker = setInterval(() => {
        for (const browser of browsers) browser.check(clock.now() - SILENCE_MS)
      }, CHECK_MS)
    },
    storm: () => {
      for (const browser of browsers) browser.cut()
    },
    end: async () => clearInterval(opener),
    close: () => {
      clearInterval(opener)
      clearInterval(checker)
      for (const browser of browsers) browser.close()
    },
  }
}

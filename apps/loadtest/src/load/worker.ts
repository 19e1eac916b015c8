import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClock } from './clock.ts'
import { createLedger } from './ledger.ts'
import type { ScenarioName } from './metric-names.ts'
import { createNetwork } from './network.ts'
import type { Plan, Share } from './plan.ts'
import { createRecorder } from './recorder.ts'
import { enterMeeting } from './rendezvous.ts'
import type { Rescan } from './rescans.ts'
import type { CreateScenario, Scenario } from './scenario.ts'
import { createFanoutScenario } from './scenarios/fanout.ts'
import { createIdleScenario } from './scenarios/idle.ts'
import { createInboxScenario } from './scenarios/inbox.ts'
import { createLoginScenario } from './scenarios/login.ts'
import type { Said, Told } from './worker-messages.ts'

/**
 * A process of clients: `worker.ts --coordinator <redis> --place <place> --worker <name> --machine <name>
 * --workers <n>`. The run's leader sends it its work. It ends with the run, or with its parent process.
 */
const { values } = parseArgs({
  options: {
    coordinator: { type: 'string', default: '' },
    place: { type: 'string', default: '' },
    worker: { type: 'string', default: '' },
    machine: { type: 'string', default: '' },
    workers: { type: 'string', default: '' },
  },
})

const SLICE_MS = 1_000
/** Interval of reports about connected sockets. */
const CROWD_MS = 100
/** A leader that waits for other machines is silent for a while. During a run it speaks sooner. */
const PATIENCE_MS = 24 * 3_600_000
const SETTLE_STEP_MS = 100

const scenarios: Readonly<Record<ScenarioName, CreateScenario>> = {
  login: createLoginScenario,
  idle: createIdleScenario,
  inbox: createInboxScenario,
  fanout: createFanoutScenario,
}

const { worker, machine } = values
const meeting = await enterMeeting(values.coordinator, values.place)
type Word<T = Said> = T extends Said ? Omit<T, 'worker'> : never
const say = (word: Word) => meeting.said.write({ worker, ...word } as Said)

const listen = async (): Promise<Told> => {
  const told = await meeting.told.next(PATIENCE_MS)
  if (!told) throw new Error('the leader said nothing')
  return told
}

const expectTold = async <D extends Told['do']>(what: D): Promise<Extract<Told, { do: D }>> => {
  const told = await listen()
  if (told.do !== what) throw new Error(`the leader said ${told.do}, not ${what}`)
  return told as Extract<Told, { do: D }>
}

const run = async (plan: Plan, share: Share): Promise<void> => {
  const clock = await createClock(meeting.redis)
  const recorder = createRecorder()
  const network = createNetwork(recorder, plan.url, share.index)
  const ledger = createLedger()
  const faults: { lost: string[]; wrong: string[] } = { lost: [], wrong: [] }
  const onFault = (kind: 'lost' | 'wrong', text: string) => void faults[kind].push(text)
  const rescans: Rescan[] = []
  const onRescan = (rescan: Rescan) => void rescans.push(rescan)
  const deps = { plan, share, clock, recorder, network, ledger, onFault, onRescan }
  const acting: Scenario[] = plan.scenarios.map((name) => scenarios[name](deps))

  await Promise.all(acting.map((scenario) => scenario.prepare()))
  // Drops the measurements of the preparation.
  recorder.take()
  await say({ did: 'prepare' })

  const { at } = await expectTold('begin')
  await delay(at - clock.now())
  for (const scenario of acting) scenario.begin(at)

  const sum = (what: 'connected' | 'wanted') => acting.reduce((total, scenario) => total + scenario[what], 0)
  const hears = plan.scenarios.includes('fanout') && plan.broadcasts > 0
  let said = ''
  const crowd = setInterval(() => {
    const now = {
      connected: sum('connected'),
      wanted: sum('wanted'),
      // Before the first message this is negative infinity, which JSON cannot express.
      ...(hears ? { arrivedUntil: Math.max(0, ledger.arrivedUntil(plan.room) - at) } : {}),
    }
    if (said === JSON.stringify(now)) return
    said = JSON.stringify(now)
    void say({ did: 'crowd', ...now })
  }, CROWD_MS)
  let second = 0
  const slice = () =>
    say({
      did: 'slice',
      slice: { second: second++, ...recorder.take(), connected: sum('connected'), wanted: sum('wanted') },
    })
  let slices: NodeJS.Timeout | undefined
  // By the common clock, so that all workers agree on the seconds and each second has one slice per worker.
  const sliceNext = () => {
    slices = setTimeout(
      () => {
        void slice()
        sliceNext()
      },
      Math.max(0, at + (second + 1) * SLICE_MS - clock.now()),
    )
  }
  sliceNext()

  for (let told = await listen(); told.do !== 'end'; told = await listen()) {
    if (told.do !== 'storm') continue
    for (const scenario of acting) scenario.storm?.()
    // Forces another report even if the numbers have not changed.
    said = ''
  }
  await Promise.all(acting.map((scenario) => scenario.end()))
  await say({ did: 'end', told: ledger.told(plan.room) })

  const { told } = await expectTold('settle')
  for (const each of told) ledger.assume(plan.room, each)
  const until = clock.now() + plan.patienceMs
  while (!ledger.isComplete() && clock.now() < until) await delay(SETTLE_STEP_MS)
  clearTimeout(slices)
  clearInterval(crowd)
  await slice()
  const account = ledger.account()
  const { lost, wrong } = account.named
  await say({
    did: 'settle',
    account: {
      ...account,
      named: { ...account.named, lost: [...faults.lost, ...lost], wrong: [...faults.wrong, ...wrong] },
    },
    rescans: rescans.map((rescan) => ({ ...rescan, at: rescan.at - at })),
  })
  for (const scenario of acting) scenario.close()
  await network.close()
}

try {
  await say({ did: 'join', machine, workers: Number(values.workers) })
  const { plan, workers } = await expectTold('prepare')
  const index = workers.indexOf(worker)
  if (index < 0) {
    // Too late: the machines that came in time go on.
    process.stderr.write('this run began without this machine: more machines joined than --machines allows\n')
    process.exit(1)
  }
  await run(plan, { index, of: workers.length })
} catch (error) {
  await say({ did: 'fail', message: error instanceof Error ? error.message : String(error) })
}
meeting.close()
// Handles that a client left open would keep the process alive.
process.exit()

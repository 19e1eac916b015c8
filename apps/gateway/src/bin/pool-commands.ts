import { setTimeout as delay } from 'node:timers/promises'
import {
  type Audit,
  auditPool,
  type Budget,
  FILL_PER_MINUTE,
  fillPool,
  type Pool,
  type PoolStore,
  type Wechat,
} from '@saoma/wechat'
import { rarely } from '../operate/log.ts'

export interface PoolCommandDeps {
  pool: Pool
  store: PoolStore
  wechat: Wechat
  budget: Budget
  /** Prints a line for the operator. */
  say: (line: string) => void
  /** Aborts when the operator interrupts the command. */
  signal: AbortSignal
}

/** The manual operations on the pool. Each resolves with whether it succeeded, and prints what failed. */
export interface PoolCommands {
  /**
   * Makes codes in addition to those that the nodes make.
   * @param max  most codes that the pool may hold
   */
  fill(codes: number, max: number): Promise<boolean>
  list(): Promise<boolean>
  /** Compares the codes with their pictures. With `repair` it removes whatever does not match. */
  check(repair: boolean): Promise<boolean>
  retire(scenes: readonly string[]): Promise<boolean>
  retireAll(): Promise<boolean>
  /** Makes the configured store the store of the pool, whichever it was before. */
  adopt(): Promise<boolean>
}

const PROGRESS_MS = 1_000
const PROGRESS_CODES = 10
/** Delay between two attempts while the quota of the minute is used up. */
const QUOTA_PAUSE_MS = 5_000
const MINUTE_MS = 60_000

const units = [
  ['d', 24 * 60 * MINUTE_MS],
  ['h', 60 * MINUTE_MS],
  ['min', MINUTE_MS],
] as const

/** Formats an age in the largest unit that fits. */
const ageOf = (madeAt: number): string => {
  const ms = Math.max(Date.now() - madeAt, 0)
  const [unit, size] = units.find(([, size]) => ms >= size) ?? ['min', MINUTE_MS]
  return `${Math.floor(ms / size)} ${unit}`
}

const row = (scene: string, state: string, leases: string, age: string, picture: string): string =>
  `${scene.padEnd(24)}  ${state.padEnd(11)}  ${leases.padStart(6)}  ${age.padStart(7)}  ${picture}`

const countOf = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`
const were = (n: number, what: string): string => `${countOf(n, 'code was', 'codes were')} ${what}.`

const summary = ({ codes, missing, damaged, stray }: Audit): string =>
  `${countOf(codes, 'code', 'codes')}: ${missing.length} without a picture, ${damaged.length} with a wrong one; ${countOf(stray.length, 'picture', 'pictures')} without a code.`

export const createPoolCommands = (deps: PoolCommandDeps): PoolCommands => {
  const { pool, store, wechat, budget, say, signal } = deps

  const count = async (): Promise<number> => {
    let codes = 0
    for await (const _ of pool.list()) codes++
    return codes
  }

  const retire = async (scenes: readonly string[]): Promise<number> => {
    const pictures = await pool.retire(scenes)
    await store.remove(pictures)
    return pictures.length
  }

  const fill = async (codes: number): Promise<boolean> => {
    let made = 0
    let toldAt = performance.now()
    const onCode = () => {
      made++
      const now = performance.now()
      if (made % PROGRESS_CODES !== 0 && now - toldAt < PROGRESS_MS) return
      toldAt = now
      say(`${made} of ${codes}`)
    }
    while (made < codes && !signal.aborted) {
      const { failure, quota } = await fillPool(
        { pool, store, wechat, budget },
        { codes: codes - made, signal, onCode },
      )
      if (failure) {
        say(`${made} of ${countOf(codes, 'code was', 'codes were')} made. WeChat draws no more: ${failure.message}.`)
        return false
      }
      if (!quota) continue
      say(
        `${made} of ${codes}. All nodes together draw ${FILL_PER_MINUTE} codes a minute for the pool: waiting for the next.`,
      )
      await delay(QUOTA_PAUSE_MS, undefined, { signal }).catch(() => {})
    }
    say(were(made, 'made'))
    return made === codes
  }

  return {
    fill: async (codes, max) => {
      const room = max - (await count())
      if (codes <= room) return fill(codes)
      say(`The pool has room for ${countOf(Math.max(room, 0), 'more code', 'more codes')}: see SAOMA_POOL_MAX.`)
      return false
    },

    list: async () => {
      say(row('SCENE', 'STATE', 'LEASES', 'AGE', 'PICTURE'))
      for await (const { scene, status, epoch, madeAt, image } of pool.list()) {
        if (signal.aborted) return false
        say(row(scene, status, `${epoch}`, ageOf(madeAt), image.key))
      }
      return true
    },

    check: async (repair) => {
      const tell = rarely(PROGRESS_MS, (line: string) => say(line))
      const audit = await auditPool(pool, store, {
        repair,
        signal,
        onPicture: (read, all) => tell(`${read} of ${all} pictures`),
      })
      for (const { scene, image } of audit.missing) say(`${scene}  has no picture (${image.key})`)
      for (const { scene, image } of audit.damaged) say(`${scene}  has a wrong picture (${image.key})`)
      for (const key of audit.stray) say(`${key}  belongs to no code`)
      say(summary(audit))
      const isGood = audit.missing.length + audit.damaged.length + audit.stray.length === 0
      if (!isGood)
        say(audit.repaired ? 'What does not fit was removed.' : 'Run check --repair to remove what does not fit.')
      return !signal.aborted && (isGood || audit.repaired)
    },

    retire: async (scenes) => {
      const wanted = new Set(scenes)
      for await (const { scene } of pool.list()) wanted.delete(scene)
      for (const scene of wanted) say(`${scene}  is not in the pool`)
      say(were(await retire(scenes), 'retired'))
      return wanted.size === 0
    },

    retireAll: async () => {
      const scenes: string[] = []
      for await (const { scene } of pool.list()) scenes.push(scene)
      say(were(await retire(scenes), 'retired'))
      return true
    },

    adopt: async () => {
      await store.adopt()
      say(
        `${store.place} is the store of the pool from now on. Run check to see which codes have their pictures there.`,
      )
      return true
    },
  }
}

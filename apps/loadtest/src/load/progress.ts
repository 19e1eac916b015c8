import type { Outage } from './chaos.ts'
import type { Underway } from './lead.ts'
import type { Timing } from './metric-names.ts'
import { showMs } from './quantity.ts'
import type { Second } from './timeline.ts'

/** Where progress is shown. */
export type Screen = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>

const BLOCK_MS = 250
const LINES_MS = 5_000
/** The times of a second, in order of interest. */
const shown: readonly Timing[] = ['login', 'confirm', 'deliver', 'fanout', 'publish', 'connect', 'watch']
const MOST_TIMES = 4

const timesOf = ({ times }: Second): string =>
  shown
    .flatMap((name) => {
      const time = times[name]
      return time ? [`${name} ${time.count}/s p50 ${showMs(time.p50)} p99 ${showMs(time.p99)}`] : []
    })
    .slice(0, MOST_TIMES)
    .join('   ')

/**
 * Shows progress on the screen: a block that overwrites itself on a terminal, elsewhere a line every five
 * seconds.
 */
export const showProgress = (
  screen: Screen,
  run: Underway,
  { endMs, outage }: { endMs: number; outage: () => Outage | undefined },
): { close(): void } => {
  let written = 0

  const lines = (): string[] => {
    const { connected, wanted } = run.crowd()
    const { counts, seconds } = run.timeline
    const last = seconds.at(-1)
    const at = Math.max(0, Math.round(run.now() / 1_000))
    const now = outage()
    const state = now
      ? now.greenAt !== undefined
        ? `green ${showMs(now.greenAt - now.to)} after ${now.fault}`
        : Number.isFinite(now.to)
          ? `after ${now.fault}: not green yet${now.waitedFor ? `, ${now.waitedFor}` : ''}`
          : `FAULT: ${now.fault}`
      : ''
    const sums = (['logins', 'published', 'received', 'refused', 'errors'] as const)
      .flatMap((name) => (counts[name] ? [`${name} ${counts[name]}`] : []))
      .join('  ')
    return [
      `${at}s of ${Math.round(endMs / 1_000)}s   ${wanted > 0 ? `connected ${connected} of ${wanted}   ` : ''}${sums}`,
      ...(last ? [timesOf(last)] : []),
      ...(state ? [state] : []),
    ].filter(Boolean)
  }

  const clear = () => {
    if (written > 0) screen.write(`\x1b[${written}A\x1b[J`)
    written = 0
  }

  const block = () => {
    clear()
    // A wrapped line would occupy two lines to overwrite.
    const text = lines().map((line) => line.slice(0, (screen.columns || 80) - 1))
    screen.write(text.map((line) => `${line}\n`).join(''))
    written = text.length
  }

  const timer = setInterval(
    () => (screen.isTTY ? block() : screen.write(`${lines().join('   ')}\n`)),
    screen.isTTY ? BLOCK_MS : LINES_MS,
  )
  return {
    close: () => {
      clearInterval(timer)
      clear()
    },
  }
}

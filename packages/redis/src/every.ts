interface Task {
  /** Seconds between two runs. */
  readonly seconds: number
  readonly work: () => void
  /** Seconds until the next run. */
  left: number
}

const SECOND_MS = 1_000

const tasks = new Set<Task>()
let clock: NodeJS.Timeout | undefined

const tick = (): void => {
  for (const task of tasks) {
    if (--task.left > 0) continue
    task.left = task.seconds
    task.work()
  }
}

/**
 * Repeats work until the returned function is called, like `setInterval`; it does not keep the process alive.
 * Whole seconds share one timer, so a node that has nothing else to do wakes once a second: each wake costs
 * more than most of this work. What they send to Redis leaves together, too.
 *
 * @param ms  the interval. The first run comes after it, with whole seconds up to a second later.
 */
export const every = (ms: number, work: () => void): (() => void) => {
  if (ms % SECOND_MS !== 0) {
    const timer = setInterval(work, ms).unref()
    return () => clearInterval(timer)
  }
  const seconds = ms / SECOND_MS
  // The shared clock may be about to tick.
  const task: Task = { seconds, work, left: clock === undefined ? seconds : seconds + 1 }
  tasks.add(task)
  clock ??= setInterval(tick, SECOND_MS).unref()
  return () => {
    tasks.delete(task)
    if (tasks.size > 0 || clock === undefined) return
    clearInterval(clock)
    clock = undefined
  }
}

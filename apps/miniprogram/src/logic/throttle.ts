export interface Throttled {
  call(): void
  /** What still waits is not done. */
  cancel(): void
}

/** Does `work` at the first call, and once more for all calls of the next `everyMs`, at their end. */
export const throttle = (work: () => void, everyMs: number): Throttled => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isAsked = false
  const run = () => {
    isAsked = false
    timer = setTimeout(() => {
      timer = undefined
      if (isAsked) run()
    }, everyMs)
    work()
  }
  return {
    call: () => {
      if (timer === undefined) run()
      else isAsked = true
    },
    cancel: () => {
      clearTimeout(timer)
      isAsked = false
    },
  }
}

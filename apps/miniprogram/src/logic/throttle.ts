export interface Throttled {
  call(): void
  /** Drops a pending call. */
  cancel(): void
}

/** Calls `work` at once, and once more for all further calls within `everyMs`, at the end of that time. */
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

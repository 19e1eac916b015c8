/** The mini-program's JavaScript, which WeChat suspends some seconds after it went to the background. */
export interface JavaScript {
  readonly suspended: boolean
  /** Runs it now, or when JavaScript runs again: both what is told to it and what it asks for itself. */
  run(work: () => void): void
  suspend(): void
  resume(): void
}

export const createJavaScript = (): JavaScript => {
  const waiting: (() => void)[] = []
  let suspended = false
  return {
    get suspended() {
      return suspended
    },
    run: (work) => {
      if (suspended) waiting.push(work)
      else work()
    },
    suspend: () => {
      suspended = true
    },
    resume: () => {
      suspended = false
      for (const work of waiting.splice(0)) work()
    },
  }
}

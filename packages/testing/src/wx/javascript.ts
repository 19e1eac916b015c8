/** The mini-program's JavaScript. WeChat suspends it some seconds after it went to the background. */
export interface JavaScript {
  readonly suspended: boolean
  /**
   * Runs the work now, or when JavaScript resumes. Used both for callbacks and for the program's own calls.
   */
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

import type { Program } from './logic/program.ts'

/** What `App` keeps for the pages. */
export interface Shared {
  program: Program
}

/** Everything behind the pages. Only pages may ask: there is none before `App` was called. */
export const currentProgram = (): Program => getApp<{ globalData: Shared }>().globalData.program

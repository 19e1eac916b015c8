import type { Program } from './logic/program.ts'

/** What `App` keeps for the pages. */
export interface Shared {
  program: Program
}

/** The logic behind the pages. Only pages may call this: before `App` there is none. */
export const currentProgram = (): Program => getApp<{ globalData: Shared }>().globalData.program

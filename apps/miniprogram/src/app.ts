import '@saoma/client/wx/globals'
import { origin, person } from './config.ts'
import type { Shared } from './current-program.ts'
import { createProgram } from './logic/program.ts'

App<{ globalData: Shared }>({
  globalData: { program: createProgram({ wx, origin, ...(person ? { demo: person } : {}) }) },
})

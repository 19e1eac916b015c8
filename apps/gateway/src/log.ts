import { type Logger, pino } from 'pino'

export type { Logger }

/** JSON lines on stdout. Nothing that holds a header, a body or a query is ever handed to it, so no secret can end up there. */
export const createLog = (options: { level: string; node: string }): Logger =>
  pino({
    level: options.level,
    base: { node: options.node },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })

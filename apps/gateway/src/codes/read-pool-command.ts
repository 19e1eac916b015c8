import { parseArgs } from 'node:util'
import { parsePooledScene } from '@saoma/protocol'
import type { PoolCommands } from './pool-commands.ts'

export const USAGE = `Usage: node scripts/bootstrap.mjs apps/gateway/src/pool.ts <command>
  fill <number>             make so many codes
  list                      show every code
  check [--repair]          compare the codes with their pictures, and remove what does not fit
  retire <scene>… | --all   take codes out for good; a login that shows one needs a new code
`

export type PoolCommand = (commands: PoolCommands, config: { max: number }) => Promise<boolean>

/** What the words on the command line ask for; undefined when they ask for nothing. */
export const readPoolCommand = (args: string[]): PoolCommand | undefined => {
  try {
    const options = { repair: { type: 'boolean', default: false }, all: { type: 'boolean', default: false } } as const
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    const [name, ...rest] = positionals
    const [first = ''] = rest
    const isPlain = !values.repair && !values.all
    if (name === 'fill' && isPlain && rest.length === 1 && /^[1-9]\d{0,6}$/.test(first))
      return ({ fill }, { max }) => fill(Number(first), max)
    if (name === 'list' && isPlain && rest.length === 0) return ({ list }) => list()
    if (name === 'check' && !values.all && rest.length === 0) return ({ check }) => check(values.repair)
    if (name === 'retire' && values.all && !values.repair && rest.length === 0) return ({ retireAll }) => retireAll()
    if (name === 'retire' && isPlain && rest.length > 0 && rest.every((scene) => parsePooledScene(scene).ok))
      return ({ retire }) => retire(rest)
  } catch {
    // An option that there is not.
  }
  return undefined
}

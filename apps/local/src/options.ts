import { parseArgs } from 'node:util'
import { isPacked, started } from './called.ts'

export interface Options {
  nodes: number
  port: number
  /** Open to the network, so that a phone can scan. */
  lan: boolean
  /** Codes of a mini-program instead of demo phones. */
  wechat: boolean
  watch: boolean
  help: boolean
}

const watchLine = '  --watch     restart programs when their files change (npm run dev)\n'

export const usage = `${started('[options]')}     the whole cluster on this machine

  --nodes N   gateways behind nginx, 1 to 16        (default 2)
  --port N    where nginx listens                   (default 8080)
  --lan       allow phones on the same network      (default: this machine only)
  --wechat    codes of a simulated mini-program, with a pool; no demo phones
${isPacked ? '' : watchLine}  --help      this text

Its Redis, its secrets, its API keys and its logs are in .saoma/; delete that folder to start over.`

const MAX_NODES = 16
const MAX_PORT = 65_535

const wholeNumber = (name: string, text: string, min: number, max: number): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new TypeError(`--${name} must be a whole number from ${min} to ${max}, not ${text}`)
  return value
}

/** Throws TypeError with a sentence for the user. */
export const readOptions = (args: readonly string[]): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '2' },
      port: { type: 'string', default: '8080' },
      lan: { type: 'boolean', default: false },
      wechat: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (isPacked && values.watch)
    throw new TypeError('--watch is for a clone of the repository: there are no sources here.')
  return {
    ...values,
    nodes: wholeNumber('nodes', values.nodes, 1, MAX_NODES),
    port: wholeNumber('port', values.port, 1, MAX_PORT),
  }
}

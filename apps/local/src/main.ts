import { join } from 'node:path'
import { cleanUp, ensurePage, ensurePrograms } from '@saoma/testing'
import { welcome } from './banner.ts'
import { isPacked } from './called.ts'
import { startLocalCluster } from './cluster.ts'
import { takeFolder } from './folder.ts'
import { assertFree, lanAddress } from './network.ts'
import { type Options, readOptions, usage } from './options.ts'
import { watchPage } from './page-watch.ts'
import { refusalOf } from './refusal.ts'
import { assertFits } from './wechat-side.ts'

/**
 * One Ctrl-C may send several signals, from the terminal and from npm. Later ones count as a second Ctrl-C.
 */
const SAME_SIGNAL_MS = 1_000

/** The AWS settings are for a pool in an object store. */
const OWN =
  /^(SAOMA_\w+|LOG_LEVEL|WECHAT_LINK|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|ENDPOINT_URL_S3))$/

/** The user's settings for the nodes. The cluster's own settings override them. */
const ownSettings = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (OWN.test(name) && value ? [[name, value]] : [])))

const say = (sentence: string): void => console.log(sentence)

const tell = (error: unknown): void => {
  const message = error instanceof Error ? error.message : String(error)
  console.error(refusalOf(message) ?? message)
  process.exitCode = 1
}

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP. A second one ends this process and all its children at
 * once.
 */
const whenToldToStop = (): Promise<void> =>
  new Promise((resolve) => {
    let first = 0
    const onSignal = () => {
      if (first === 0) {
        first = Date.now()
        resolve()
      } else if (Date.now() - first > SAME_SIGNAL_MS) process.exit(1)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  })

const originOf = ({ lan, port }: Options): string => {
  const address = lan ? lanAddress() : '127.0.0.1'
  if (!address) throw new Error('This machine has no address in a local network. Start without --lan.')
  return `http://${address}:${port}`
}

const run = async (options: Options): Promise<void> => {
  const { nodes, port, lan, watch, wechat } = options
  const settings = ownSettings(process.env)
  assertFits(settings, wechat)
  const origin = originOf(options)
  const host = lan ? '0.0.0.0' : '127.0.0.1'
  const folder = await takeFolder(join(process.cwd(), '.saoma'))
  const told = whenToldToStop()
  const ending = new AbortController()
  try {
    await assertFree(host, port)
    await ensurePrograms(['redis', 'nginx'], say)
    // The package has them built.
    if (!isPacked) await ensurePage(say)
    const { signal } = ending
    const starting = startLocalCluster(folder, { nodes, port, watch, wechat, host, origin, settings, signal }, say)
    // A signal came during the start. Whatever still starts ends with this process.
    starting.catch(() => {})
    const cluster = await Promise.race([starting, told])
    if (!cluster) return
    const endWatch = watch ? watchPage(say) : () => {}
    const { apiKeyFile, logs } = folder
    const takesKeys = !settings.SAOMA_API_KEYS
    say(await welcome({ ...cluster, origin, lan, wechat, apiKeyFile, takesKeys, logs }))

    await told
    say('\nStopping. Press Ctrl-C again to force it.')
    endWatch()
    await cluster.stop()
  } finally {
    ending.abort()
    await cleanUp()
    await folder.release()
  }
}

const WRONG_USAGE = 2

/** Undefined after a message, if the command line is wrong. */
const readCommandLine = (): Options | undefined => {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    tell(error)
    process.exitCode = WRONG_USAGE
    return undefined
  }
}

const main = async (): Promise<void> => {
  const options = readCommandLine()
  if (options?.help) say(usage)
  else if (options) await run(options)
}

main()
  .catch(tell)
  // Ends at once: only the log files and the process-group watchdog are still open.
  .finally(() => process.exit())

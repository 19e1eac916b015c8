import { parseArgs } from 'node:util'
import { type Config, ConfigError, readConfig } from '../config/config.ts'
import { Environment } from '../config/environment.ts'
import { isLoopback } from '../config/origins.ts'
import type { Subject } from '../doctor/check.ts'
import { createChecks } from '../doctor/checks.ts'
import { isInContainer } from '../doctor/container.ts'
import { countsOf, reportJson, reportText } from '../doctor/report.ts'
import { runChecks } from '../doctor/run-checks.ts'
import type { Source } from '../doctor/source.ts'
import { version } from '../operate/version.ts'
import { givenFiles, readGiven, readGivenFile, readGivenText, UnreadFile } from './given.ts'

/*
 * Looks at a running or planned installation, and says what is wrong. It reads the settings of a node from
 * the environment and from files:
 *
 *   node -- scripts/bootstrap.mjs apps/gateway/src/bin/doctor.ts --env-file .env
 *
 * Without `--` Node itself looks for the file, and ends with code 9 if it is not there.
 *
 * Exit status: 0 if nothing is wrong (there may be warnings), 1 if something is, 2 on wrong usage.
 */

const USAGE = `Usage: saoma doctor [options]
  --env-file FILE  read settings from a file of lines NAME=value (may be repeated); by default
                   .saoma/cluster.env of a local cluster. The environment wins over files
  --origin URL     look at this origin instead of SAOMA_ORIGIN; enough for the checks that need no settings
  --only CHECK     make this check only
  --timeout TIME   give up after this time, such as 30s or 2m (default 30s)
  --json           print one JSON object
  --help           show this
`

/** The command line cannot be understood. */
class UsageError extends Error {}

/** Names that other programs have too: alone they do not mean a node. */
const COMMON = ['HOST', 'PORT', 'INTERNAL_PORT', 'NODE_ENV', 'LOG_LEVEL']
const NAMES = Object.keys(Environment.entries).filter((name) => !COMMON.includes(name) && !name.startsWith('OTEL_'))
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }
/** The longest wait that a timer takes is 24 days. */
const LONGEST_MS = 3_600_000

const readOptions = (args: string[]) => {
  try {
    const { values } = parseArgs({
      args,
      options: {
        json: { type: 'boolean', default: false },
        'env-file': { type: 'string', multiple: true, default: [] },
        origin: { type: 'string' },
        only: { type: 'string' },
        timeout: { type: 'string', default: '30s' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    return values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

const readTime = (text: string): number => {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? []
  const ms = Number(number) * (UNITS[unit] ?? 0)
  if (!(ms >= 1 && ms <= LONGEST_MS)) throw new UsageError(`--timeout must be a time such as 30s or 2m, not "${text}".`)
  return ms
}

const readOrigin = (text: string): string => {
  const { protocol = '', origin = '', pathname, search, hash, username } = URL.parse(text) ?? {}
  if (!/^https?:$/.test(protocol) || pathname !== '/' || search || hash || username)
    throw new UsageError(`--origin must be an origin such as https://login.example.com, not "${text}".`)
  return origin
}

/** The origin in the settings, also where another setting has a problem. */
const givenOrigin = ({ SAOMA_ORIGIN = '' }: Source['given']): string | undefined =>
  URL.parse(SAOMA_ORIGIN)?.origin === SAOMA_ORIGIN && /^https?:/.test(SAOMA_ORIGIN) ? SAOMA_ORIGIN : undefined

const readSource = (named: readonly string[]): { source: Source; config?: Config } => {
  const given = readGiven(named)
  const source = {
    given,
    files: givenFiles(named),
    inFile: readGivenFile,
    textOf: readGivenText,
    hasSettings: NAMES.some((name) => given[name] || given[`${name}_FILE`]),
    problems: [],
  }
  if (!source.hasSettings) return { source }
  try {
    return { source, config: readConfig(given) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { source: { ...source, problems: error.problems } }
  }
}

const doctor = async (args: string[]): Promise<number> => {
  const options = readOptions(args)
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const timeoutMs = readTime(options.timeout)
  const asked = options.origin === undefined ? undefined : readOrigin(options.origin)
  const { source, config } = readSource(options['env-file'])
  if (!source.hasSettings && asked === undefined)
    throw new UsageError(
      'There are no settings of a node: give them in the environment or with --env-file, or --origin.',
    )
  const all = createChecks(source)
  const checks = options.only === undefined ? all : all.filter(({ name }) => name === options.only)
  if (checks.length === 0)
    throw new UsageError(`There is no check "${options.only}": ${all.map(({ name }) => name).join(', ')}.`)

  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), timeoutMs)
  const origin = asked ?? config?.origin ?? givenOrigin(source.given)
  const webRoot = source.given.SAOMA_WEB_ROOT || source.given.SAOMA_WEB_ROOT_FILE
  const isOwn = asked === undefined && origin !== undefined && isLoopback(new URL(origin).hostname)
  const subject: Subject = {
    ...(config ? { config } : {}),
    ...(origin ? { origin } : {}),
    ...(webRoot ? { webRoot } : {}),
    isContainersOwn: isOwn && isInContainer(process.env),
    signal: over.signal,
  }
  const found = await runChecks(checks, subject)
  clearTimeout(timer)
  const report = { version, ...(origin ? { origin } : {}), found }
  process.stdout.write(options.json ? `${reportJson(report)}\n` : reportText(report, process.stdout))
  return countsOf(found).error > 0 ? 1 : 0
}

// A reader such as `head` has closed the pipe: the rest need not be written.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1))

try {
  const code = await doctor(process.argv.slice(2))
  // A check that was late may still wait for something. Written is written before the end.
  process.stdout.write('', () => process.exit(code))
} catch (error) {
  if (!(error instanceof UsageError || error instanceof UnreadFile)) throw error
  process.stderr.write(`${error.message}\n${USAGE}`)
  process.exitCode = 2
}

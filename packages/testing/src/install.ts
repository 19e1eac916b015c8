import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { findBrowser } from './browser.ts'
import { findProgram, howToInstall, type Program, type ProgramName, programs } from './programs.ts'

type Say = (sentence: string) => void

const INSTALL_TIMEOUT_MS = 15 * 60_000
const PROBE_TIMEOUT_MS = 5_000

const works = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status === 0

/** Runs a command and shows its output. Resolves with false when it fails. */
const run = async (say: Say, command: readonly [string, ...string[]]): Promise<boolean> => {
  say(`  $ ${command.join(' ')}`)
  const [file, ...args] = command
  const child = spawn(file, args, {
    // Its output goes to our standard error, so that programs can read our standard output.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: INSTALL_TIMEOUT_MS,
  })
  try {
    const [code] = await once(child, 'exit')
    return code === 0
  } catch {
    return false // The command does not exist: `error` instead of `exit`.
  }
}

/** How apt-get may be called without a password; undefined if it may not, or is not there. */
const aptGet = (): [string, ...string[]] | undefined => {
  if (!works('apt-get', ['--version'])) return undefined
  if (process.getuid?.() === 0) return ['apt-get']
  return works('sudo', ['-n', 'true']) ? ['sudo', '-n', 'apt-get'] : undefined
}
const aptSteps = (apt: [string, ...string[]], packages: readonly string[]): [string, ...string[]][] => [
  [...apt, 'update', '-qq'],
  [...apt, 'install', '-y', '-qq', '--no-install-recommends', ...packages],
]

/** Commands of the package manager that we may use without a password; undefined if there is none. */
const installer = (names: readonly ProgramName[]): [string, ...string[]][] | undefined => {
  const packages: Program['packages'][] = names.map((name) => programs[name].packages)
  const apt = aptGet()
  if (apt)
    return aptSteps(
      apt,
      packages.map((one) => one.apt),
    )
  if (works('apt-get', ['--version'])) return undefined
  const formulas = packages.flatMap(({ brew }) => brew ?? [])
  return formulas.length > 0 && works('brew', ['--version']) ? [['brew', 'install', ...formulas]] : undefined
}

const missing = async (names: readonly ProgramName[]): Promise<ProgramName[]> => {
  const found = await Promise.all(names.map((name) => (name === 'chromium' ? findBrowser() : findProgram(name))))
  return names.filter((_, i) => !found[i])
}

/** Downloads Playwright's Chromium. */
const installBrowser = (say: Say) => {
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')), 'cli.js')
  return run(say, [process.execPath, cli, 'install', 'chromium'])
}

/**
 * Makes sure that these programs are installed. It installs the missing ones with apt-get or Homebrew if that
 * needs no password, and reports what it does. If programs are still missing, it throws an error with the
 * command for the person.
 */
export const ensurePrograms = async (names: readonly ProgramName[], say: Say): Promise<void> => {
  const wanted = await missing(names)
  if (wanted.length === 0) return
  const commands = wanted.map((name) => programs[name].commands[0]).join(', ')
  const steps = installer(wanted)
  if (steps) {
    say(
      `Installing ${commands}, which this project runs. (Saoma starts its own copies and leaves system services alone.)`,
    )
    for (const step of steps) await run(say, step)
  }
  // Where no package has a browser (Ubuntu has only a snap), use Playwright's.
  if ((await missing(wanted)).includes('chromium')) await installBrowser(say)
  const left = await missing(wanted)
  if (left.length === 0) return
  throw new Error(`Not installed: ${left.map((name) => programs[name].commands[0]).join(', ')}. ${howToInstall(left)}`)
}

/** Packages of Debian with applications of others, to which tests log in. They start no service. */
export const applicationPackages: readonly string[] = [
  'libapache2-mod-auth-openidc',
  'python3-authlib',
  'python3-flask',
  'python3-requests',
  'oidc-agent-cli',
]

const isInstalled = (name: string): boolean => works('dpkg', ['--status', name])

/**
 * Installs packages of Debian that some tests need, if that needs no password. Without them those tests are
 * skipped, so this reports what fails and never throws.
 */
export const tryPackages = async (names: readonly string[], say: Say): Promise<void> => {
  const wanted = names.filter((name) => !isInstalled(name))
  const apt = wanted.length > 0 ? aptGet() : undefined
  if (!apt) return
  say(`Installing ${wanted.join(', ')} for the tests of other people's applications.`)
  for (const step of aptSteps(apt, wanted))
    if (!(await run(say, step))) return say('It failed, so these tests are skipped.')
}

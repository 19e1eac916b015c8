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

/** Runs a command in front of the person's eyes; false when it fails. */
const run = async (say: Say, command: readonly [string, ...string[]]): Promise<boolean> => {
  say(`  $ ${command.join(' ')}`)
  const [file, ...args] = command
  const child = spawn(file, args, {
    // Its output goes to our standard error, so that what we print ourselves stays readable by programs.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: INSTALL_TIMEOUT_MS,
  })
  try {
    const [code] = await once(child, 'exit')
    return code === 0
  } catch {
    return false // It does not exist: `error` instead of `exit`.
  }
}

/**
 * The package manager we may use without asking anybody for a password, as commands to run; undefined when
 * there is none.
 */
const installer = (names: readonly ProgramName[]): [string, ...string[]][] | undefined => {
  const packages: Program['packages'][] = names.map((name) => programs[name].packages)
  if (works('apt-get', ['--version'])) {
    const isRoot = process.getuid?.() === 0
    if (!isRoot && !works('sudo', ['-n', 'true'])) return undefined
    const rights: [string, ...string[]] = isRoot ? ['apt-get'] : ['sudo', '-n', 'apt-get']
    const wanted = packages.map(({ apt }) => apt)
    return [
      [...rights, 'update', '-qq'],
      [...rights, 'install', '-y', '-qq', '--no-install-recommends', ...wanted],
    ]
  }
  const formulas = packages.flatMap(({ brew }) => brew ?? [])
  return formulas.length > 0 && works('brew', ['--version']) ? [['brew', 'install', ...formulas]] : undefined
}

const missing = async (names: readonly ProgramName[]): Promise<ProgramName[]> => {
  const found = await Promise.all(names.map((name) => (name === 'chromium' ? findBrowser() : findProgram(name))))
  return names.filter((_, i) => !found[i])
}

/** Downloads the Chromium that Playwright builds. */
const installBrowser = (say: Say) => {
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')), 'cli.js')
  return run(say, [process.execPath, cli, 'install', 'chromium'])
}

/**
 * Sees to it that these programs are there: installs the missing ones with apt-get or Homebrew where that
 * needs no password, and says what it does. Throws an error that names the command for the person when they
 * are still missing.
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
  // Where no package brings a browser (Ubuntu has only a snap of it) comes the one that Playwright builds.
  if ((await missing(wanted)).includes('chromium')) await installBrowser(say)
  const left = await missing(wanted)
  if (left.length === 0) return
  throw new Error(`Not installed: ${left.map((name) => programs[name].commands[0]).join(', ')}. ${howToInstall(left)}`)
}

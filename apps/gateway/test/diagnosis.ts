import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv } from '@saoma/testing'
import type { Level } from '../src/doctor/finding.ts'

const command = fileURLToPath(new URL('../src/bin/doctor.ts', import.meta.url))

export interface FoundLine {
  check: string
  code: string
  level: Level
  says: string
  todo?: string
  page?: string
}

export interface Diagnosis {
  code: number
  stdout: string
  stderr: string
  /** Of `--json`. */
  findings: FoundLine[]
  /** The findings of a code, each as its level and what it says. */
  of(code: string): string[]
}

/** A folder of a test's own. */
export const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-doctor-'))
  onCleanup(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Settings without a fault, but for a Redis. */
export const SETTINGS = {
  SAOMA_ORIGIN: 'https://login.example.com',
  SAOMA_SECRET: 'dG9tIHNhdyA0MiBnZWVzZSBvbiB0aGUgd2F5IQ+/kZ',
  SAOMA_AUTH_URL: 'https://shop.example.com/auth',
}

/** Runs `saoma doctor` as a process of its own, in an empty folder. */
export const diagnose = async (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  cwd = newFolder(),
): Promise<Diagnosis> => {
  const { code, stdout, stderr } = await new Promise<Pick<Diagnosis, 'code' | 'stdout' | 'stderr'>>((resolve) => {
    // Behind `--`, because Node looks for files of `--env-file` behind the program's name too.
    execFile(
      process.execPath,
      ['--', command, ...args],
      { env: { ...plainEnv(), ...env }, cwd },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
  const findings: FoundLine[] = args.includes('--json') && stdout !== '' ? JSON.parse(stdout).findings : []
  return {
    ...{ code, stdout, stderr, findings },
    of: (wanted) => findings.filter((one) => one.code === wanted).map(({ level, says }) => `${level}: ${says}`),
  }
}

/** Runs one check, with settings without a fault but for these. */
export const diagnoseBy = (
  check: string,
  env: Readonly<Record<string, string | undefined>>,
  ...args: readonly string[]
): Promise<Diagnosis> => diagnose(['--json', '--only', check, ...args], { ...SETTINGS, ...env })

/** Writes a file of settings. Returns its path. */
export const writeSettings = (settings: Readonly<Record<string, string>>, mode = 0o600): string => {
  const file = join(newFolder(), 'settings.env')
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(file, lines.join(''))
  chmodSync(file, mode)
  return file
}

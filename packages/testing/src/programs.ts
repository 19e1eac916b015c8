import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program that the project needs and npm does not provide. */
export interface Program {
  /** Possible names, best first. */
  commands: readonly string[]
  /** The package with the program, per package manager. */
  packages: { apt: string; brew?: string }
  /** Absolute paths outside the PATH. */
  places?: readonly string[]
}

export const programs = {
  redis: { commands: ['redis-server', 'valkey-server'], packages: { apt: 'redis-server', brew: 'redis' } },
  nginx: { commands: ['nginx'], packages: { apt: 'nginx-light', brew: 'nginx' } },
  // nginx/run.sh uses it to notify the nodes.
  curl: { commands: ['curl'], packages: { apt: 'curl', brew: 'curl' } },
  // Only renders k8s/; it contacts no cluster.
  kubectl: { commands: ['kubectl'], packages: { apt: 'kubernetes-client', brew: 'kubernetes-cli' } },
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    packages: { apt: 'chromium' },
    places: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
  },
} as const satisfies Record<string, Program>

export type ProgramName = keyof typeof programs

/** Where Debian and Homebrew install servers; not always on a user's PATH. */
const EXTRA_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin', '/opt/homebrew/sbin']

export const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Absolute path of an installed program, or undefined. `CHROMIUM` names another browser. */
export const findProgram = (name: ProgramName): string | undefined => {
  const program: Program = programs[name]
  const chosen = name === 'chromium' ? process.env.CHROMIUM : undefined
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...EXTRA_FOLDERS]
  const found = program.commands.flatMap((command) => folders.map((folder) => join(folder, command)))
  return [...(chosen ? [chosen] : []), ...found, ...(program.places ?? [])].find(isExecutable)
}

/** Like `findProgram`, but throws with the name of the package when the program is missing. */
export const requireProgram = (name: ProgramName): string => {
  const found = findProgram(name)
  if (found) return found
  throw new Error(`${programs[name].commands[0]} is not installed. ${howToInstall([name])}`)
}

/** A sentence with the commands, for a person who has to install by hand. */
export const howToInstall = (names: readonly ProgramName[]): string => {
  const all: Program[] = names.map((name) => programs[name])
  const apt = all.map(({ packages }) => packages.apt).join(' ')
  const brew = all.flatMap(({ packages }) => packages.brew ?? []).join(' ')
  const ways = [`Debian, Ubuntu: apt-get install ${apt}`, ...(brew ? [`macOS: brew install ${brew}`] : [])]
  const browser = names.includes('chromium') ? ['Chromium anywhere: npx playwright-core install chromium'] : []
  return `${[...ways, ...browser].join('. ')}.`
}

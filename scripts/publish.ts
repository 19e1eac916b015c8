import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Published, readCommand, readPublished } from './published.ts'

const NPM_TIMEOUT_MS = 120_000

export interface PublishOptions {
  /** Where the packed files are. */
  folder: string
  /**
   * Whether the registry is told, with a signature, which commit and which run of which workflow made the
   * file. It needs the OpenID Connect of a CI that npm knows, and npm's own registry.
   */
  provenance: boolean
  say: (sentence: string) => void
}

const npm = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)('npm', args, { timeout: NPM_TIMEOUT_MS, maxBuffer: 2 ** 24 })).stdout

/** What the registry says of a package or of one of its versions; undefined if it has none. */
const view = async (what: string, field: string): Promise<string | undefined> => {
  try {
    const text = (await npm('view', what, field, '--json')).trim()
    return text === '' ? undefined : (JSON.parse(text) as string)
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    if (`${stdout}${stderr}`.includes('E404')) return undefined
    throw new Error(`npm cannot ask the registry for ${what}: ${stderr || stdout}`, { cause: error })
  }
}

/** Whether the first of two versions comes before the second. */
const isBefore = (one: string, other: string): boolean => {
  const [ones, others] = [one, other].map((version) => version.split(/[.+-]/, 3).map(Number)) as [number[], number[]]
  const at = ones.findIndex((number, i) => number !== others[i])
  return at >= 0 && (ones[at] ?? 0) < (others[at] ?? 0)
}

/** Each package comes after those of ours that it depends on. */
const inOrder = (all: readonly Published[]): Published[] => {
  const byName = new Map(all.map((published) => [published.source.name, published]))
  const ordered = new Set<Published>()
  const add = (published: Published): void => {
    for (const name of Object.keys(published.source.dependencies ?? {})) {
      const other = byName.get(name)
      if (other) add(other)
    }
    ordered.add(published)
  }
  for (const published of all) add(published)
  return [...ordered]
}

interface Named {
  name: string
  version: string
}

/** The name that npm gives a packed file: `@saoma/client` -> `saoma-client-0.1.0.tgz`. */
const fileOf = ({ name, version }: Named): string => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`

/**
 * Everybody installs what was published last without a tag. npm itself may refuse an older version, but not
 * before others of ours are published.
 */
const refuseOlder = async ({ name, version }: Named): Promise<void> => {
  const latest = await view(name, 'dist-tags.latest')
  if (latest !== undefined && isBefore(version, latest))
    throw new Error(
      `${name} ${version} is older than ${latest}, which the registry has. Everybody would get ${version} then. Only main is released: make the next version there`,
    )
}

/**
 * Publishes the packed files that the registry does not have. So it can be repeated after a failure half way.
 * Throws if npm refuses, and before it publishes any if a file is missing or the registry has a newer
 * version.
 */
export const publishPackages = async ({ folder, provenance, say }: PublishOptions): Promise<void> => {
  const all: Named[] = [...inOrder(readPublished()).map(({ source }) => source), readCommand()]
  const missing = all.map(fileOf).filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) throw new Error(`${folder} has no ${missing.join(', ')}. Run npm run packages first`)
  const published = new Set<Named>()
  for (const its of all) {
    if (await view(`${its.name}@${its.version}`, 'version')) published.add(its)
    else await refuseOlder(its)
  }
  for (const its of all) {
    const { name, version } = its
    if (published.has(its)) {
      say(`${name} ${version} is there already`)
      continue
    }
    // npm takes a flag before what `publishConfig` of the packed manifest says.
    const flag = provenance ? '--provenance' : '--no-provenance'
    await npm('publish', join(folder, fileOf(its)), '--access', 'public', flag)
    say(`${name} ${version} is published`)
  }
}

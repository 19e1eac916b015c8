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

/** Whether the registry has this version. */
const isThere = async (name: string, version: string): Promise<boolean> => {
  try {
    return (await npm('view', `${name}@${version}`, 'version', '--json')).trim() !== ''
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    if (`${stdout}${stderr}`.includes('E404')) return false
    throw new Error(`npm cannot ask the registry for ${name}: ${stderr || stdout}`, { cause: error })
  }
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
 * Publishes the packed files that the registry does not have. So it can be repeated after a failure half way.
 * Throws if a file is missing, before it publishes any, or if npm refuses.
 */
export const publishPackages = async ({ folder, provenance, say }: PublishOptions): Promise<void> => {
  const all: Named[] = [...inOrder(readPublished()).map(({ source }) => source), readCommand()]
  const missing = all.map(fileOf).filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) throw new Error(`${folder} has no ${missing.join(', ')}. Run npm run packages first`)
  for (const published of all) {
    const { name, version } = published
    if (await isThere(name, version)) {
      say(`${name} ${version} is there already`)
      continue
    }
    // npm takes a flag before what `publishConfig` of the packed manifest says.
    const flag = provenance ? '--provenance' : '--no-provenance'
    await npm('publish', join(folder, fileOf(published)), '--access', 'public', flag)
    say(`${name} ${version} is published`)
  }
}

import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** `/sdk/version.json`: what a page needs in order to load the SDK of this build. */
export interface SdkVersion {
  /** The version of `@saoma/client`, and the first 8 hex digits of the SHA-256 of the file. */
  version: string
  /** Below Saoma's origin. The element moves: its address is the same in every version. */
  paths: { sdk: string; element: string }
  /** For `integrity` (Subresource Integrity, SHA-384), by path. */
  integrity: Record<string, string>
}

const HASH_DIGITS = 8

/** The package whose API the file is. */
const versionOf = async (root: string): Promise<string> => {
  const manifest: unknown = JSON.parse(await readFile(join(root, '../../packages/client/package.json'), 'utf8'))
  if (typeof manifest === 'object' && manifest && 'version' in manifest) return String(manifest.version)
  throw new Error('packages/client/package.json has no version')
}

/**
 * Moves the built `sdk/saoma.js` to an address with its version, and writes `sdk/version.json`. Browsers keep
 * the file for a year, and pages name its hash. So the address contains a part of the hash: two builds of one
 * version of the package have two addresses.
 * @param root  the folder of this app
 * @param out  the folder of the built pages
 */
export const hostSdk = async (root: string, out: string): Promise<void> => {
  const built = join(out, 'sdk/saoma.js')
  const bytes = await readFile(built)
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, HASH_DIGITS)
  const version = `${await versionOf(root)}-${hash}`
  const sdk = `/sdk/${version}/saoma.js`
  await mkdir(join(out, 'sdk', version), { recursive: true })
  await rename(built, join(out, sdk))
  const told: SdkVersion = {
    version,
    paths: { sdk, element: '/saoma-login.js' },
    integrity: { [sdk]: `sha384-${createHash('sha384').update(bytes).digest('base64')}` },
  }
  await writeFile(join(out, 'sdk/version.json'), `${JSON.stringify(told, undefined, 2)}\n`)
}

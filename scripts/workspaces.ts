import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** One workspace of the repository. */
export interface Workspace {
  name: string
  kind: 'package' | 'app' | 'scripts'
  /** Relative to the root, as are `files`. */
  folder: string
  /** Those that an installation without development packages has, peers included. */
  dependencies: ReadonlySet<string>
  devDependencies: ReadonlySet<string>
  /** The importable entry points, such as `.` or `./element`. */
  exports: ReadonlySet<string>
  files: readonly string[]
}

interface Manifest {
  name?: string
  workspaces?: string[]
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  exports?: Record<string, unknown>
}

const SOURCES = '**/*.{ts,mts,cts,js,mjs,cjs}'
const notSources = (name: string): boolean => /^(node_modules|dist|\..+)$/.test(name)

const readManifest = (root: string, folder: string): Manifest =>
  JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

const sourcesIn = (root: string, folder: string): string[] =>
  globSync(SOURCES, { cwd: join(root, folder), exclude: notSources })
    .map((file) => relative(root, join(root, folder, file)))
    .sort()

/** All workspaces of the root's package.json. `scripts/` counts as a workspace that belongs to the root. */
export const readWorkspaces = (root: string): Workspace[] => {
  const read = (folder: string, kind: Workspace['kind'], sources = folder): Workspace => {
    const manifest = readManifest(root, folder)
    const { name = folder, dependencies = {}, devDependencies = {}, exports = {} } = manifest
    const { optionalDependencies = {}, peerDependencies = {} } = manifest
    return {
      name,
      kind,
      folder: sources,
      dependencies: new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })),
      devDependencies: new Set(Object.keys(devDependencies)),
      exports: new Set(Object.keys(exports)),
      files: sourcesIn(root, sources),
    }
  }
  const folders = globSync(readManifest(root, '.').workspaces ?? [], { cwd: root })
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .sort()
  const members = folders.map((folder) => read(folder, folder.startsWith('apps') ? 'app' : 'package'))
  return [...members, ...(existsSync(join(root, 'scripts')) ? [read('.', 'scripts', 'scripts')] : [])]
}

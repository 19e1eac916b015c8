import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './run.ts'

/** What a manifest of this repository says, as far as a packed one depends on it. */
export interface Manifest {
  name: string
  version: string
  description: string
  engines: Record<string, string>
  /** A package that has this is published. */
  publishConfig?: Record<string, unknown>
}

/** The manifest of a package of modules. */
interface Source extends Manifest {
  type: 'module'
  /** The sources by what is imported: `./element` -> `./src/element/element.ts`. */
  exports: Record<string, string>
  /** Sources that do something when they are imported. */
  sideEffects: string[]
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  /** Folder for CommonJS, which WeChat's developer tools copy. */
  miniprogram?: string
}

/** What the manifest of the root says for all of them. */
export interface Root {
  license: string
  homepage: string
  bugs: { url: string }
  repository: { type: string; url: string }
  /** Versions that npm takes whatever a package asks for; an object is for what one package asks for. */
  overrides: Record<string, string | Record<string, string>>
}

/** A package that is published. */
export interface Published {
  /** Its folder, relative to the root. */
  folder: string
  source: Source
}

/** A JSON file of the repository. */
export const readJson = <T>(...path: string[]): T => JSON.parse(readFileSync(join(root, ...path), 'utf8')) as T

/** The folder of the command `saoma`. It is published too, but nobody imports it. */
export const commandFolder = 'apps/cli'

export const readCommand = (): Manifest => readJson(commandFolder, 'package.json')

export const readPublished = (): Published[] =>
  globSync('packages/*/package.json', { cwd: root })
    .sort()
    .map((file) => ({ folder: dirname(file), source: readJson<Source>(file) }))
    .filter(({ source }) => source.publishConfig)

/** Name of a built file, without its extension: `./wx/globals` -> `wx/globals`, `.` -> `index`. */
const builtName = (path: string): string => (path === '.' ? 'index' : path.replace(/^\.\//, ''))

/** Sources by the name of their built file. */
export const entriesOf = ({ source }: Published): Record<string, string> =>
  Object.fromEntries(Object.entries(source.exports).map(([path, file]) => [builtName(path), file]))

/** Packages of one release belong together, so one asks for exactly the version of another. */
const pinned = (dependencies: Record<string, string>, all: readonly Published[]): Record<string, string> => {
  const versions = new Map(all.map(({ source }) => [source.name, source.version]))
  return Object.fromEntries(Object.entries(dependencies).map(([name, range]) => [name, versions.get(name) ?? range]))
}

/** The manifest that is packed. It leads to built files; that of the repository leads to sources (D91). */
export const manifestOf = ({ folder, source }: Published, all: readonly Published[]): object => {
  const { exports, sideEffects, miniprogram, dependencies, peerDependencies, publishConfig } = source
  const { license, homepage, bugs, repository } = readJson<Root>('package.json')
  const built = (path: string, extension: string) => `./dist/${builtName(path)}${extension}`
  // Of the sources with side effects only the entries are files still. The others are built into them.
  const acting = Object.keys(exports).filter((path) => sideEffects.includes(exports[path] ?? ''))
  return {
    name: source.name,
    version: source.version,
    description: source.description,
    keywords: ['saoma', 'login', 'qr-code', 'wechat', 'socket.io', 'realtime'],
    license,
    homepage: `${homepage}/tree/main/${folder}`,
    bugs,
    // A registry compares it with what the provenance says.
    repository: { ...repository, directory: folder },
    type: source.type,
    engines: source.engines,
    sideEffects: acting.length > 0 && acting.map((path) => built(path, '.js')),
    exports: {
      ...Object.fromEntries(
        Object.keys(exports).map((path) => [path, { types: built(path, '.d.ts'), default: built(path, '.js') }]),
      ),
      './package.json': './package.json',
    },
    ...(miniprogram ? { miniprogram } : {}),
    ...(dependencies ? { dependencies: pinned(dependencies, all) } : {}),
    ...(peerDependencies ? { peerDependencies } : {}),
    publishConfig,
  }
}

import { existsSync, globSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensurePage } from '@saoma/testing'
import { build } from 'tsdown'
import { packedFiles } from './packed-files.ts'
import { commandFolder, type Manifest, type Root, readCommand, readJson } from './published.ts'
import { root } from './run.ts'

/** The command itself, which a shell runs. */
const MAIN = 'apps/cli/src/main'
/** It, the programs that it becomes, and those that they start. The folder of each has a manifest. */
const PROGRAMS = [
  MAIN,
  'apps/gateway/src/main',
  'apps/gateway/src/bin/*',
  'apps/loadtest/src/load/main',
  'apps/loadtest/src/load/worker',
  'apps/local/src/main',
  'apps/local/src/phone',
  'apps/nginx-metrics/src/main',
  'apps/shop/src/main',
  'apps/wechat-simulator/src/main',
]
/** The built pages. They are not in git, and have nothing but what Vite writes. */
const PAGES = 'apps/web/dist'
/** Packages that a module finds by itself, so that the bundler does not see the import. */
const FOUND = ['jsqr', 'uplot']
/** Imported by what only tests call. */
const FOR_TESTS = ['playwright-core']
/** The Node for which the programs are built. */
const TARGET = 'node24'

/** `@aws-sdk/client-s3/dist` -> `@aws-sdk/client-s3`. */
const packageOf = (imported: string): string =>
  imported
    .split('/')
    .slice(0, imported.startsWith('@') ? 2 : 1)
    .join('/')

/** The version that a module of ours gets. `module` is the path of its source. */
const versionOf = (name: string, module: string): string => {
  const [kind = '', workspace = ''] = module.split('/')
  const places = [join(kind, workspace, 'node_modules', name), join('node_modules', name)]
  const place = places.find((folder) => existsSync(join(root, folder, 'package.json')))
  if (place === undefined) throw new Error(`${module} imports ${name}, which is not installed`)
  return readJson<Manifest>(place, 'package.json').version
}

/**
 * Builds the programs, one file for each source file, in the same layout. So whatever a program finds beside
 * itself is at the same place in the repository and in the package.
 *
 * @returns names and versions of the npm packages that the built files import
 */
const buildPrograms = async (outDir: string): Promise<Record<string, string>> => {
  const versions = new Map<string, string>()
  const take = (name: string, module: string): void => {
    const version = versionOf(name, module)
    const known = versions.get(name) ?? version
    if (known !== version) throw new Error(`${module} needs ${name} ${version}, and another module ${known}`)
    versions.set(name, version)
  }
  const sources = PROGRAMS.flatMap((path) => globSync(`${path}.ts`, { cwd: root }))
  await build({
    clean: false,
    config: false,
    failOnWarn: true,
    logLevel: 'warn',
    report: false,
    checks: { pluginTimings: false },
    cwd: root,
    root,
    entry: Object.fromEntries(sources.map((path) => [path.replace(/\.ts$/, ''), path])),
    outDir,
    format: 'esm',
    platform: 'node',
    target: TARGET,
    fixedExtension: false,
    unbundle: true,
    dts: false,
    tsconfig: join(root, 'tsconfig.json'),
    // What a program imports for its effects alone is imported by a file that it needs anyway.
    treeshake: { moduleSideEffects: false },
    deps: { alwaysBundle: [/^@saoma\//], neverBundle: (id) => !/^([./]|@saoma\/)/.test(id) },
    plugins: [
      {
        name: 'imported-packages',
        generateBundle: (_, built) => {
          for (const file of Object.values(built)) {
            if (file.type !== 'chunk') continue
            for (const imported of [...file.imports, ...file.dynamicImports])
              if (!(imported in built) && !imported.startsWith('node:')) take(packageOf(imported), file.fileName)
          }
        },
      },
    ],
  })
  for (const name of FOUND) take(name, '')
  // npm obeys overrides only in the package that is installed itself. An exact version of its own has the
  // same effect, because all of these are in the range of the package that needs them. An override for one
  // package alone is an object, and of a tool.
  for (const [name, version] of Object.entries(readJson<Root>('package.json').overrides))
    if (typeof version === 'string') take(name, '')
  for (const name of FOR_TESTS) versions.delete(name)
  return Object.fromEntries([...versions].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Copies what the programs read besides modules, and a manifest for each folder that has programs. */
const copyFiles = async (outDir: string): Promise<void> => {
  await ensurePage((sentence) => console.error(sentence))
  await cp(join(root, PAGES), join(outDir, PAGES), { recursive: true })
  for (const path of packedFiles(root)) await cp(join(root, path), join(outDir, path))
  const { homepage, repository } = readJson<Root>('package.json')
  const folders = new Set(PROGRAMS.map((path) => path.split('/').slice(0, 2).join('/')))
  for (const folder of ['.', ...folders]) {
    const { name, version } = readJson<Manifest>(folder, 'package.json')
    const its = { name, version, type: 'module', ...(folder === '.' ? { homepage, repository } : {}) }
    await mkdir(join(outDir, folder), { recursive: true })
    await writeFile(join(outDir, folder, 'package.json'), `${JSON.stringify(its, null, 2)}\n`)
  }
}

/** Gives the built command the first lines of its source. They are for a shell: a bundler leaves them out. */
const keepHead = async (outDir: string): Promise<void> => {
  const [head = ''] = (await readFile(join(root, `${MAIN}.ts`), 'utf8')).split('\n\n', 1)
  const file = join(outDir, `${MAIN}.js`)
  const body = (await readFile(file, 'utf8')).replace(/^#!.*\n/, '')
  await writeFile(file, `${head}\n\n${body}`)
}

/** Builds the package of the command `saoma` into a folder, its manifest included. */
export const stageCommand = async (staged: string): Promise<void> => {
  const outDir = join(staged, 'dist')
  const dependencies = await buildPrograms(outDir)
  await keepHead(outDir)
  await copyFiles(outDir)
  const { name, version, description, engines, publishConfig } = readCommand()
  const { license, homepage, bugs, repository } = readJson<Root>('package.json')
  const manifest = {
    name,
    version,
    description,
    keywords: ['saoma', 'login', 'qr-code', 'wechat', 'socket.io', 'realtime', 'cli'],
    license,
    homepage,
    bugs,
    repository: { ...repository, directory: commandFolder },
    type: 'module',
    engines,
    bin: { saoma: './dist/apps/cli/src/main.js' },
    dependencies,
    publishConfig,
  }
  await writeFile(join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  await cp(join(root, commandFolder, 'README.md'), join(staged, 'README.md'))
  await cp(join(root, 'LICENSE'), join(staged, 'LICENSE'))
}

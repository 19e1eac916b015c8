/*
 * Builds the packages that are published, and packs each as `npm publish` takes it:
 *
 *   npm run packages                into .packages/: saoma-client-0.1.0.tgz, …
 *   npm run packages -- <folder>    into another folder, which has nothing but packed files
 *
 * They are ES modules with declarations and source maps. The command `saoma` is a package too; `command.ts`
 * builds it.
 */

import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'tsdown'
import { stageCommand } from './command.ts'
import { entriesOf, manifestOf, type Published, readPublished } from './published.ts'
import { root } from './run.ts'

const PACK_TIMEOUT_MS = 60_000
/** Every browser since 2022, and Node 20. */
const TARGET = 'es2022'
/** Every engine that runs a mini-program with the base library that the SDK needs. */
const MINIPROGRAM_TARGET = 'es2018'
/** What a mini-program imports. */
const MINIPROGRAM = ['index', 'wx', 'wx/globals']

const common = {
  clean: false,
  config: false,
  failOnWarn: true,
  logLevel: 'warn',
  report: false,
  // On a busy machine everything is slow.
  checks: { pluginTimings: false },
  // Its successor needs TypeScript 7.1, which is not released yet.
  suppressWarnings: 'The `tsgo` generator on TypeScript 7.0 is deprecated',
} as const

const buildModules = (published: Published, outDir: string): Promise<unknown> =>
  build({
    ...common,
    cwd: join(root, published.folder),
    entry: entriesOf(published),
    outDir,
    format: 'esm',
    platform: 'neutral',
    target: TARGET,
    sourcemap: true,
    dts: true,
    // React's server components cannot import hooks and contexts without it.
    ...(published.source.peerDependencies?.react ? { banner: { js: "'use client'" } } : {}),
    tsconfig: join(root, 'tsconfig.packages.json'),
  })

/**
 * CommonJS with all that it needs. WeChat's developer tools copy this folder as it is. They know neither
 * `exports` nor ES modules.
 */
const buildMiniprogram = (published: Published, outDir: string): Promise<unknown> => {
  const entries = Object.entries(entriesOf(published)).filter(([name]) => MINIPROGRAM.includes(name))
  return build({
    ...common,
    cwd: join(root, published.folder),
    entry: Object.fromEntries(entries),
    outDir,
    format: 'cjs',
    platform: 'neutral',
    // tsdown builds CommonJS for Node, which would take the debugging variant of Socket.IO's client.
    inputOptions: { platform: 'browser' },
    target: MINIPROGRAM_TARGET,
    outExtensions: () => ({ js: '.js' }),
    // WeChat gives each file a parameter of this name, which is empty.
    define: { self: 'globalThis' },
    deps: { alwaysBundle: [/./] },
    dts: false,
    minify: true,
  })
}

/** Builds a package into a folder, as it is published. */
const stage = async (published: Published, all: readonly Published[], staged: string): Promise<void> => {
  await buildModules(published, join(staged, 'dist'))
  const { miniprogram } = published.source
  if (miniprogram) await buildMiniprogram(published, join(staged, miniprogram))
  await writeFile(join(staged, 'package.json'), `${JSON.stringify(manifestOf(published, all), null, 2)}\n`)
  await cp(join(root, 'LICENSE'), join(staged, 'LICENSE'))
  await cp(join(root, published.folder, 'README.md'), join(staged, 'README.md'))
}

/** Packs what `build` makes in a folder. Resolves with the path of the packed file. */
const pack = async (folder: string, build: (staged: string) => Promise<void>): Promise<string> => {
  const staged = join(folder, 'staged')
  await mkdir(staged, { recursive: true })
  await build(staged)
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: staged,
    timeout: PACK_TIMEOUT_MS,
  })
  const [packed] = JSON.parse(stdout) as { filename: string }[]
  if (!packed) throw new Error(`npm packed nothing of ${staged}`)
  // Jest and editors would find two packages of one name.
  await rm(staged, { recursive: true })
  return join(folder, packed.filename)
}

/** Builds and packs all of them into a folder. Resolves with the paths of the packed files. */
export const packPackages = async (folder: string = join(root, '.packages')): Promise<string[]> => {
  await mkdir(folder, { recursive: true })
  const others = (await readdir(folder)).filter((name) => !/^(saoma-.*\.tgz|staged)$/.test(name))
  if (others.length > 0) throw new Error(`${folder} is not for packed files only: it has ${others.join(', ')}`)
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true })
  const all = readPublished()
  const files: string[] = []
  for (const published of all) files.push(await pack(folder, (staged) => stage(published, all, staged)))
  files.push(await pack(folder, stageCommand))
  return files
}

if (import.meta.main)
  packPackages(process.argv[2]).then(
    (files) => console.log(files.join('\n')),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : String(error))
      process.exitCode = 1
    },
  )

/*
 * npm puts the packages of all workspaces into one node_modules, so a workspace can import what it never
 * declared, a package can reach into an app, and a file can pull in another package's insides: everything
 * runs, until an image is built with only the declared packages, or somebody moves a file that was nobody's
 * business. Arrows also turn round quietly: one import in the wrong direction and two packages can no longer
 * be understood apart. No compiler looks at any of this, so this script does.
 *
 *   node scripts/check-boundaries.ts [--root <folder>]
 */

import { dirname, join, normalize } from 'node:path'
import { parseArgs } from 'node:util'
import { findCycles } from './cycles.ts'
import { foldersOf, wrongFloor } from './floors.ts'
import { type Import, importsOf } from './imports.ts'
import { readWorkspaces, type Workspace } from './workspaces.ts'

/** Packages whose sources run in a browser and in a mini-program as well. */
const RUN_ANYWHERE: readonly string[] = ['@saoma/protocol', '@saoma/client']

type Edges = Map<string, Set<string>>

const isTest = (file: string): boolean => /(^|\/)test\/|\.test\.[cm]?[jt]s$|\.config\.[cm]?[jt]s$/.test(file)

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const add = (edges: Edges, from: string, to: string): void => {
  const known = edges.get(from)
  if (known) known.add(to)
  else edges.set(from, new Set([to]))
}

/** What is wrong with the import of another package; undefined when nothing is. */
const wrongPackage = (
  { specifier, typeOnly }: Import,
  inTest: boolean,
  from: Workspace,
  members: ReadonlyMap<string, Workspace>,
): string | undefined => {
  if (specifier.startsWith('node:'))
    return RUN_ANYWHERE.includes(from.name) && !inTest
      ? `runs in browsers too, where there is no ${specifier}`
      : undefined
  const name = packageOf(specifier)
  const to = members.get(name)
  if (to && !to.exports.has(`.${specifier.slice(name.length)}`) && to.kind === 'package')
    return `reaches into ${name}, which does not export '.${specifier.slice(name.length)}'`
  if (name === from.name) return undefined
  if (to?.kind === 'app')
    return from.kind === 'scripts'
      ? undefined
      : `is part of ${from.kind === 'app' ? 'an' : 'a'} ${from.kind} and imports the app ${name}`
  if (from.dependencies.has(name)) return undefined
  // Types are gone at run time, and nobody installs an image to run its tests.
  if ((inTest || typeOnly || from.kind === 'scripts') && from.devDependencies.has(name)) return undefined
  if (to && from.kind === 'scripts') return undefined
  return `imports ${name}, which ${join(from.kind === 'scripts' ? '' : from.folder, 'package.json')} does not declare`
}

/** Every violation below a folder, one sentence each. */
export const checkBoundaries = (root: string): string[] => {
  const workspaces = readWorkspaces(root)
  const members = new Map(workspaces.map((workspace) => [workspace.name, workspace]))
  const problems: string[] = []
  const packageEdges: Edges = new Map()
  const fileEdges: Edges = new Map()
  const folderEdges: Edges = new Map()

  for (const workspace of workspaces) {
    for (const file of workspace.files) {
      for (const found of importsOf(join(root, file))) {
        const { specifier, typeOnly, line } = found
        if (specifier.startsWith('.')) {
          const target = normalize(join(dirname(file), specifier))
          if (!target.startsWith(`${workspace.folder}/`))
            problems.push(`${file}:${line} leaves its workspace: ${specifier}`)
          else if (!typeOnly) add(fileEdges, file, target)
          const floor = wrongFloor(file, target)
          if (floor) problems.push(`${file}:${line} ${floor}`)
          const folders = foldersOf(file, target)
          if (folders) add(folderEdges, ...folders)
          continue
        }
        const problem = wrongPackage(found, isTest(file), workspace, members)
        const name = packageOf(specifier)
        if (problem) problems.push(`${file}:${line} ${problem}`)
        // Tests may use what is built on top of the package they test.
        else if (members.has(name) && name !== workspace.name && !isTest(file)) add(packageEdges, workspace.name, name)
      }
    }
  }
  for (const cycle of findCycles(packageEdges)) problems.push(`packages in a circle: ${cycle.join(' -> ')}`)
  for (const cycle of findCycles(folderEdges)) problems.push(`folders in a circle: ${cycle.join(' -> ')}`)
  for (const cycle of findCycles(fileEdges)) problems.push(`files in a circle: ${cycle.join(' -> ')}`)
  return problems
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { root: { type: 'string', default: '.' } } })
  const problems = checkBoundaries(values.root)
  for (const problem of problems) console.error(problem)
  if (problems.length === 0) console.log('Boundaries: every import is declared, none goes the wrong way.')
  process.exitCode = problems.length === 0 ? 0 : 1
}

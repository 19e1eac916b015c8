/*
 * npm puts the packages of all workspaces into one node_modules. So a workspace can import a package that it
 * does not declare, a package can import from an app, and a file can import another package's internals. All
 * of this works, until an image contains only the declared packages, or somebody moves an internal file.
 * Dependencies also turn round unnoticed: after one import in the wrong direction two packages cannot be
 * understood separately. The compiler checks none of this, so this script does.
 *
 *   node scripts/check-boundaries.ts [--root <folder>]
 */

import { dirname, join, normalize } from 'node:path'
import { parseArgs } from 'node:util'
import { findCycles } from './cycles.ts'
import { foldersOf, wrongFloor } from './floors.ts'
import { type Import, importsOf } from './imports.ts'
import { readWorkspaces, type Workspace } from './workspaces.ts'

/** Packages that also run in a browser, and the first two in a mini-program. */
const RUN_ANYWHERE: readonly string[] = ['@saoma/protocol', '@saoma/client', '@saoma/react', '@saoma/vue']

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

/** The violation of an import from another package; undefined if it is allowed. */
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
  // Types do not exist at run time, and images contain no tests.
  if ((inTest || typeOnly || from.kind === 'scripts') && from.devDependencies.has(name)) return undefined
  if (to && from.kind === 'scripts') return undefined
  return `imports ${name}, which ${join(from.kind === 'scripts' ? '' : from.folder, 'package.json')} does not declare`
}

/** All violations below a folder, one sentence each. */
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
        // Tests may use packages that depend on the tested package.
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
  if (problems.length === 0) console.log('Boundaries: every import is declared, and none goes in the wrong direction.')
  process.exitCode = problems.length === 0 ? 0 : 1
}

import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram } from '@saoma/testing'
import { parse, parseAllDocuments } from 'yaml'

/** What of an object is the same for every kind. */
export interface Thing {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
}

export const root: string = fileURLToPath(new URL('../../..', import.meta.url))
export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const COMMAND_TIMEOUT_MS = 20_000
const OLDEST_KUSTOMIZE = 5

const kustomizeOf = (kubectl: string): number => {
  const told = execFileSync(kubectl, ['version', '--client', '-o', 'json'], { timeout: COMMAND_TIMEOUT_MS })
  return Number(/^v?(\d+)/.exec(JSON.parse(String(told)).kustomizeVersion)?.[1])
}
const found = findProgram('kubectl')
const kubectl = found !== undefined && kustomizeOf(found) >= OLDEST_KUSTOMIZE ? found : undefined

/** `describe`, or one that is shown as skipped where nothing can be rendered. */
export const describeRendered: jest.Describe = kubectl ? describe : describe.skip
if (!kubectl)
  console.warn(
    'Not tested: k8s/ as kubectl renders it. Install kubectl 1.27 or newer: https://kubernetes.io/docs/tasks/tools',
  )

const objectsOf = (yaml: string): Thing[] =>
  parseAllDocuments(yaml).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS()
  })

/** Every object of an overlay, as it would be applied. */
export const render = async (overlay: string): Promise<Thing[]> => {
  if (!kubectl) throw new Error('kubectl is not installed')
  const { stdout } = await promisify(execFile)(kubectl, ['kustomize', join(root, 'k8s/overlays', overlay)], {
    timeout: COMMAND_TIMEOUT_MS,
    maxBuffer: 2 ** 24,
  })
  // kustomize breaks long Base64 into lines, which the API reads and the schema does not.
  return objectsOf(stdout).map((object) =>
    object.kind === 'Secret' ? JSON.parse(JSON.stringify(object).replaceAll('\\n', '')) : object,
  )
}

interface Kustomization {
  resources?: string[]
  components?: string[]
  patches?: { path?: string }[]
  configMapGenerator?: { envs?: string[] }[]
}

/** Files that a kustomization and all it is made of name: whole objects, and pieces of such. */
export const filesOf = (folder: string): { objects: string[]; others: string[] } => {
  const file = join(folder, 'kustomization.yaml')
  const { resources = [], components = [], patches = [], configMapGenerator = [] } = parse(read(file)) as Kustomization
  const own = (path: string) => join(folder, path)
  const below = [...resources.filter((path) => !path.endsWith('.yaml')), ...components].map(own).map(filesOf)
  const pieces = [...patches.flatMap(({ path }) => path ?? []), ...configMapGenerator.flatMap(({ envs }) => envs ?? [])]
  return {
    objects: [
      ...resources.filter((path) => path.endsWith('.yaml')).map(own),
      ...below.flatMap(({ objects }) => objects),
    ],
    others: [file, ...pieces.map(own), ...below.flatMap(({ others }) => others)],
  }
}

/** The one object of a file. */
export const objectOf = (path: string): Thing => {
  const objects = objectsOf(read(path))
  const [object] = objects
  if (!object || objects.length > 1) throw new Error(`${path} holds ${objects.length} objects; one is the rule`)
  return object
}

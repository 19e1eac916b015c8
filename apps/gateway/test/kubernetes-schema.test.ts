import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'
import { describeRendered, filesOf, objectOf, render, root, type Thing } from './kubernetes-objects.ts'

const overlays = ['local', 'production', 'production-by-sockets'] as const
/** Applied by themselves, when README.md says so. */
const alone = [
  'k8s/restore.yaml',
  'k8s/examples/argo-cd.yaml',
  'k8s/examples/flux-source.yaml',
  'k8s/examples/flux.yaml',
]

const packages: [group: RegExp, name: string][] = [
  [/^gateway\.networking\.k8s\.io\//, '@kubernetes-models/gateway-api'],
  [/^monitoring\.coreos\.com\//, '@kubernetes-models/prometheus-operator'],
  [/^argoproj\.io\//, '@kubernetes-models/argo-cd'],
  [/\.toolkit\.fluxcd\.io\//, '@kubernetes-models/flux-cd'],
  [/^/, 'kubernetes-models'],
]
const moduleOf = ({ apiVersion, kind }: Thing): string =>
  `${packages.find(([group]) => group.test(apiVersion))?.[1]}/${apiVersion}/${kind}`

/** What of an Application of Argo CD, or of a Kustomization of Flux, leads to an overlay. */
interface Deployed {
  source?: { path?: string }
  path?: string
  sourceRef?: { kind: string; name: string }
}

/** What the schema of its kind finds wrong with an object: types, required fields, values, lengths. */
const faultOf = async (object: Thing): Promise<string | undefined> => {
  const { [object.kind]: Model } = await import(moduleOf(object))
  try {
    new Model(object).validate()
    return undefined
  } catch (error) {
    return `${object.kind} ${object.metadata.name}: ${error}`
  }
}
const faultsOf = async (objects: readonly Thing[]): Promise<string[]> =>
  (await Promise.all(objects.map(faultOf))).filter((fault) => fault !== undefined)

/**
 * What no field of the API is. Schemas let unknown fields pass, and a cluster ignores them: `readinesProbe`
 * is no probe at all. The compiler does not let them pass in a literal, and the same packages have the types.
 */
const strangersOf = async (objects: readonly Thing[]): Promise<string[]> => {
  const cache = join(root, 'node_modules/.cache/saoma')
  await mkdir(cache, { recursive: true })
  const dir = await mkdtemp(join(cache, 'kubernetes-'))
  onCleanup(() => rm(dir, { recursive: true, force: true }))
  const literals = objects.map(
    (object, i) =>
      `import type { I${object.kind} as T${i} } from '${moduleOf(object)}'\nexport const o${i}: T${i} = ${JSON.stringify(object)}\n`,
  )
  const file = join(dir, 'objects.mts')
  await writeFile(file, literals.join(''))
  const flags = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '']
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return promisify(execFile)(process.execPath, [tsc, ...flags, file], { timeout: 60_000 }).then(
    () => [],
    ({ stdout }) => String(stdout).split('\n').filter(Boolean),
  )
}

const files = [...alone, ...new Set(overlays.flatMap((overlay) => filesOf(`k8s/overlays/${overlay}`).objects))]

test('every file holds one object that fits its schema', async () => {
  expect(files.length).toBeGreaterThan(20)
  const objects = files.map(objectOf)
  expect(await faultsOf(objects)).toEqual([])
  expect(await strangersOf(objects)).toEqual([])
})

test('every file belongs to an overlay', async () => {
  const used = [...alone, ...overlays.flatMap((overlay) => Object.values(filesOf(`k8s/overlays/${overlay}`)).flat())]
  const there = (await readdir(join(root, 'k8s'), { recursive: true })).filter((path) => /\.(yaml|env)$/.test(path))
  expect(there.map((path) => `k8s/${path}`).filter((path) => !used.includes(path))).toEqual([])
})

test('what Argo CD and Flux are told to apply is an overlay', () => {
  const [argo, source, flux] = alone.slice(1).map((file) => objectOf(file) as Thing & { spec: Deployed })
  for (const path of [argo?.spec.source?.path, flux?.spec.path])
    expect(overlays.map((overlay) => `k8s/overlays/${overlay}`)).toContain(path?.replace(/^\.\//, ''))
  const { kind, metadata } = source ?? {}
  expect(flux?.spec.sourceRef).toEqual({ kind, name: metadata?.name })
})

test('a wrong value and an unknown field are found', async () => {
  const nodes = objectOf('k8s/base/gateway/nodes.yaml')
  const broken = JSON.stringify(nodes).replace('"replicas":3', '"replicas":"three"')
  expect(await faultsOf([JSON.parse(broken)])).toEqual([expect.stringContaining('replicas')])
  const misspelt = JSON.stringify(nodes).replace('readinessProbe', 'readinesProbe')
  expect(await strangersOf([JSON.parse(misspelt)])).toEqual([expect.stringContaining('readinesProbe')])
})

describeRendered('as rendered', () => {
  test.each(overlays)('every object of %s fits its schema', async (overlay) => {
    const objects = await render(overlay)
    expect(await faultsOf(objects)).toEqual([])
    expect(await strangersOf(objects)).toEqual([])
    // Applied twice it must be the same object, and no two may be the same.
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
    for (const { kind, metadata } of objects)
      expect([kind, metadata.namespace ?? kind]).toEqual([kind, kind === 'Namespace' ? kind : 'saoma'])
  })
})

import { readFile } from 'node:fs/promises'
import { nodeFlags } from '@saoma/testing'

/** Relative to the root. */
const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
const readJson = async (path: string) => JSON.parse(await read(path))
const majorOf = (version: string): string => /\d+/.exec(version)?.[0] ?? ''

test('package.json, its lock, the image, CI and the pages name one Node', async () => {
  const { devDependencies } = await readJson('package.json')
  expect(devDependencies.node).toMatch(/^\d+\.\d+\.\d+$/)
  const major = majorOf(devDependencies.node)
  const { packages } = await readJson('package-lock.json')
  expect(packages['node_modules/node'].version).toBe(devDependencies.node)
  expect(majorOf(devDependencies['@types/node'])).toBe(major)
  expect(majorOf(packages['node_modules/@types/node'].version)).toBe(major)

  const images = (await read('Dockerfile')).match(/^FROM node:\S+/gm)
  expect(images?.map((image) => image.split('-')[0])).toEqual([`FROM node:${devDependencies.node}`])
  expect(await read('README.md')).toContain(`They install Node ${major}`)
  expect(await read('CONTRIBUTING.md')).toContain(`Node ${major} comes with the npm packages`)
  expect(await read('.ci/run')).toContain(`on Node ${major},`)
})

test('the image, compose, tests and benchmarks start a node with the same flags', async () => {
  const flags = nodeFlags.map((flag) => `"${flag}"`).join(', ')
  expect(await read('Dockerfile')).toContain(`CMD ["node", ${flags}, "apps/gateway/src/main.ts"]`)
  expect(await read('docker-compose.yml')).toContain(`exec node ${nodeFlags.join(' ')} apps/gateway/src/main.ts`)
})

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'

const script = fileURLToPath(new URL('../../../scripts/check-boundaries.ts', import.meta.url))

const manifest = (name: string, more: object = {}) =>
  JSON.stringify({ name, exports: { '.': './src/index.ts' }, ...more })

/**
 * A repository without a fault: an app on a package on the protocol, a package whose framework is its user's,
 * and a testing package that tests may use.
 */
const sound: Record<string, string> = {
  'package.json': JSON.stringify({ workspaces: ['packages/*', 'apps/*'], devDependencies: { typescript: '*' } }),
  'packages/protocol/package.json': manifest('@saoma/protocol', { dependencies: { valibot: '*' } }),
  'packages/protocol/src/index.ts': `import * as v from 'valibot'\nexport { a } from './a.ts'\nexport const b = v`,
  'packages/protocol/src/a.ts': `import type { b } from './index.ts'\nexport const a: typeof b | 1 = 1`,
  'packages/protocol/test/a.test.ts': `import { readFileSync } from 'node:fs'\nimport { a } from '@saoma/protocol'\nreadFileSync; a`,
  'packages/redis/package.json': manifest('@saoma/redis', {
    dependencies: { '@saoma/protocol': '*', ioredis: '*' },
    devDependencies: { '@saoma/testing': '*' },
  }),
  'packages/redis/src/index.ts': `import { a } from '@saoma/protocol'\nexport { a }\nimport 'ioredis'\nimport 'node:net'`,
  'packages/redis/test/redis.test.ts': `import { start } from '@saoma/testing'\nstart`,
  'packages/react/package.json': manifest('@saoma/react', {
    peerDependencies: { react: '*' },
    devDependencies: { react: '*', 'react-dom': '*' },
  }),
  'packages/react/src/index.ts': `import { useMemo } from 'react'\nuseMemo`,
  'packages/react/test/page.ts': `import { createRoot } from 'react-dom/client'\ncreateRoot`,
  'packages/testing/package.json': manifest('@saoma/testing', { dependencies: { '@saoma/redis': '*' } }),
  'packages/testing/src/index.ts': `import { a } from '@saoma/redis'\nexport const start = a`,
  'apps/gateway/package.json': JSON.stringify({ name: '@saoma/gateway', dependencies: { '@saoma/redis': '*' } }),
  'apps/gateway/src/main.ts': `const { a } = await import('@saoma/redis')\na`,
  'apps/web/package.json': JSON.stringify({ name: '@saoma/web', devDependencies: { vite: '*', '@types/x': '*' } }),
  'apps/web/vite.config.ts': `import { defineConfig } from 'vite'\ndefineConfig`,
  'apps/web/src/main.ts': `import type { UserConfig } from 'vite'\nexport type C = UserConfig`,
  'apps/web/dist/bundle.js': `import '@saoma/gateway'`,
  'scripts/run.ts': `import 'typescript'\nimport '@saoma/testing'`,
}

const check = async (changes: Record<string, string> = {}): Promise<{ code: number | null; problems: string[] }> => {
  const root = await mkdtemp(join(tmpdir(), 'saoma-boundaries-'))
  onCleanup(() => rm(root, { recursive: true }))
  for (const [file, content] of Object.entries({ ...sound, ...changes })) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), content)
  }
  const run = await startProcess({ name: 'the check', command: process.execPath, args: [script, '--root', root] })
  const { code } = await run.exited
  return { code, problems: run.lines.map(({ text }) => text) }
}

test('a sound repository passes', async () => {
  expect(await check()).toEqual({ code: 0, problems: [expect.stringMatching(/^Boundaries: /)] })
})

test.each([
  [
    'an undeclared package',
    { 'packages/redis/src/more.ts': `\nimport 'valibot'` },
    'packages/redis/src/more.ts:2 imports valibot, which packages/redis/package.json does not declare',
  ],
  [
    'a development package outside of tests',
    { 'packages/redis/src/more.ts': `import { start } from '@saoma/testing'\nstart` },
    'packages/redis/src/more.ts:1 imports @saoma/testing, which packages/redis/package.json does not declare',
  ],
  [
    'an undeclared package in a dynamic import',
    { 'apps/gateway/src/more.ts': `export const load = () => import('valibot')` },
    'apps/gateway/src/more.ts:1 imports valibot, which apps/gateway/package.json does not declare',
  ],
  [
    'an undeclared package in a re-export',
    { 'apps/gateway/src/more.ts': `export * from 'valibot'` },
    'apps/gateway/src/more.ts:1 imports valibot, which apps/gateway/package.json does not declare',
  ],
  [
    'an undeclared package in a script of the root',
    { 'scripts/more.ts': `import 'valibot'` },
    'scripts/more.ts:1 imports valibot, which package.json does not declare',
  ],
  [
    'a package that imports an app',
    { 'packages/redis/src/more.ts': `import '@saoma/gateway'` },
    'packages/redis/src/more.ts:1 is part of a package and imports the app @saoma/gateway',
  ],
  [
    'an app that imports an app, even for its types',
    { 'apps/web/src/more.ts': `import type { X } from '@saoma/gateway'\nexport type Y = X` },
    'apps/web/src/more.ts:1 is part of an app and imports the app @saoma/gateway',
  ],
  [
    'a deep import',
    { 'apps/gateway/src/more.ts': `import '@saoma/redis/src/index.ts'` },
    `apps/gateway/src/more.ts:1 reaches into @saoma/redis, which does not export './src/index.ts'`,
  ],
  [
    'a relative import that leaves the workspace',
    { 'apps/gateway/src/more.ts': `import '../../web/src/main.ts'` },
    'apps/gateway/src/more.ts:1 leaves its workspace: ../../web/src/main.ts',
  ],
  [
    'Node in a package that runs in browsers',
    { 'packages/protocol/src/more.ts': `import 'node:fs'` },
    'packages/protocol/src/more.ts:1 runs in browsers too, where there is no node:fs',
  ],
  [
    'Node in a package of components',
    { 'packages/react/src/more.ts': `import 'node:fs'` },
    'packages/react/src/more.ts:1 runs in browsers too, where there is no node:fs',
  ],
  [
    'a development package beside a peer',
    { 'packages/react/src/more.ts': `import 'react-dom'` },
    'packages/react/src/more.ts:1 imports react-dom, which packages/react/package.json does not declare',
  ],
  [
    'a circle of files',
    {
      'apps/gateway/src/a.ts': `export * from './b.ts'`,
      'apps/gateway/src/b.ts': `import { c } from './c.ts'\nexport { c }`,
      'apps/gateway/src/c.ts': `import './a.ts'\nexport const c = 1`,
    },
    'files in a circle: apps/gateway/src/a.ts -> apps/gateway/src/b.ts -> apps/gateway/src/c.ts -> apps/gateway/src/a.ts',
  ],
  [
    'one product that knows of the other',
    { 'apps/gateway/src/login/qr/a.ts': `import type { b } from '../../live/b.ts'`, 'apps/gateway/src/live/b.ts': '' },
    'apps/gateway/src/login/qr/a.ts:1 stands beside live, and imports apps/gateway/src/live/b.ts',
  ],
  [
    'a lower floor that knows of a higher one',
    { 'apps/gateway/src/transport/a.ts': `import '../live/b.ts'`, 'apps/gateway/src/live/b.ts': '' },
    'apps/gateway/src/transport/a.ts:1 is below live, and imports apps/gateway/src/live/b.ts',
  ],
  [
    'a floor that knows who puts the house together',
    { 'apps/gateway/src/config/a.ts': `import type { b } from '../drain.ts'`, 'apps/gateway/src/drain.ts': '' },
    'apps/gateway/src/config/a.ts:1 is below what puts the house together, and imports apps/gateway/src/drain.ts',
  ],
  [
    'a circle of folders',
    {
      'apps/gateway/src/login/qr/a.ts': `import type { b } from '../b.ts'`,
      'apps/gateway/src/login/b.ts': 'export type b = 1',
      'apps/gateway/src/login/c.ts': `import './qr/a.ts'`,
    },
    'folders in a circle: apps/gateway/src/login -> apps/gateway/src/login/qr -> apps/gateway/src/login',
  ],
  [
    'a circle of packages',
    {
      'packages/redis/package.json': manifest('@saoma/redis', {
        dependencies: { '@saoma/protocol': '*', ioredis: '*', '@saoma/testing': '*' },
      }),
      'packages/redis/src/more.ts': `import { start } from '@saoma/testing'\nstart`,
    },
    'packages in a circle: @saoma/redis -> @saoma/testing -> @saoma/redis',
  ],
])('%s is found', async (_, changes, problem) => {
  expect(await check(changes as Record<string, string>)).toEqual({ code: 1, problems: [problem] })
})

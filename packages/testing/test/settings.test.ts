import { readFileSync } from 'node:fs'
import { nodeFlags } from '../src/node-flags.ts'

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const names = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name]) => name ?? '')

const settings = names(read('apps/gateway/src/config/environment.ts'), /^ {2}([A-Z][A-Z_]+): v\./gm)

test('the template explains every setting that a node reads, with its default', () => {
  const template = read('.env.template')
  expect(settings.length).toBeGreaterThan(20)
  const explained = names(template, /^#?([A-Z_]+)=/gm)
  expect(settings.filter((name) => !explained.includes(name))).toEqual([])
})

test('compose passes every setting on except those of the image', () => {
  const compose = read('docker-compose.yml')
  // What only the container itself knows is in its command.
  const passed = [...names(compose, /^ +([A-Z_]+):/gm), ...names(compose, /"([A-Z_]+)=\$\$HOSTNAME /g)]
  const ofTheImage = ['HOST', 'PORT', 'INTERNAL_PORT', 'SAOMA_WEB_ROOT']
  expect(settings.filter((name) => !passed.includes(name) && !ofTheImage.includes(name))).toEqual([])
})

test('the template explains every setting that compose reads', () => {
  const explained = names(read('.env.template'), /^#?([A-Z_]+)=/gm)
  const wanted = names(read('docker-compose.yml'), /\$\{([A-Z_]+)/g)
  expect(wanted.filter((name) => !explained.includes(name))).toEqual([])
})

test('a node has the same flags wherever it is started', () => {
  expect(read('Dockerfile')).toContain(
    `CMD ["node", ${nodeFlags.map((flag) => `"${flag}"`).join(', ')}, "apps/gateway/`,
  )
  expect(read('docker-compose.yml')).toContain(` exec node ${nodeFlags.join(' ')} apps/gateway/`)
})

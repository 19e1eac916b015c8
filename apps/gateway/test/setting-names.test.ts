import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { misspelled } from '../src/config/misspelled.ts'

const root = new URL('../../../', import.meta.url)

test('every name of the files that operators copy is known', () => {
  const files = ['.env.template', ...globSync('docker-compose*.yml', { cwd: fileURLToPath(root) })]
  expect(files.length).toBeGreaterThan(2)
  const names = files.flatMap(
    (file) => readFileSync(new URL(file, root), 'utf8').match(/\bSAOMA_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [],
  )
  expect(names).toContain('SAOMA_REDIS_LIMIT')
  expect(misspelled(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([])
})

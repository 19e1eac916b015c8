import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'
import { called, isPacked, started } from '../src/called.ts'

test('in the repository the commands are npm scripts', () => {
  expect([isPacked, started(), started('--lan'), called('pool list')]).toEqual([
    false,
    'npm start',
    'npm start -- --lan',
    'npm run saoma -- pool list',
  ])
})

/** What a program prints beside these two files, as the package `saoma` has them. */
const printsPacked = async (program: string): Promise<string[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-packed-'))
  onCleanup(() => rm(folder, { recursive: true }))
  for (const name of ['called', 'options']) {
    const source = await readFile(new URL(`../src/${name}.ts`, import.meta.url), 'utf8')
    await writeFile(
      join(folder, `${name}.js`),
      stripTypeScriptTypes(source).replaceAll(/(from '\.\/\w+)\.ts'/g, "$1.js'"),
    )
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const module = (name: string) => JSON.stringify(pathToFileURL(join(folder, `${name}.js`)))
  const { exited, lines } = await startProcess({
    name: 'packed',
    command: process.execPath,
    args: [
      '--input-type=module',
      '--eval',
      `import { called, started } from ${module('called')}
       import { readOptions, usage } from ${module('options')}
       ${program}`,
    ],
  })
  await exited
  return lines.map(({ text }) => text)
}

test('in the package they are those of saoma, and nothing can be watched', async () => {
  expect(
    await printsPacked("console.log(started()); console.log(started('--lan')); console.log(called('pool list'))"),
  ).toEqual(['saoma start', 'saoma start --lan', 'saoma pool list'])
  const usage = await printsPacked('console.log(usage)')
  expect(usage[0]).toMatch(/^saoma start \[options\] /)
  expect(usage.join('\n')).not.toMatch(/--watch|npm/)
  const refused = await printsPacked("try { readOptions(['--watch']) } catch ({ message }) { console.log(message) }")
  expect(refused).toEqual(['--watch is for a clone of the repository: there are no sources here.'])
})

test('only called.ts knows how the programs are called', async () => {
  const folder = new URL('../src/', import.meta.url)
  const files = (await readdir(folder)).filter((name) => name !== 'called.ts')
  const lines = await Promise.all(
    files.map(async (name) => {
      const text = stripTypeScriptTypes(await readFile(new URL(name, folder), 'utf8'))
      return text.split('\n').filter((line) => /npm (start|run)|scripts?\/|phone script/.test(line))
    }),
  )
  // --watch is of the repository only.
  expect(lines.flat()).toEqual([expect.stringMatching(/^const watchLine = /)])
})

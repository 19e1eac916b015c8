/*
 * Which files besides modules the package of the command `saoma` gets:
 *
 *   node scripts/packed-files.ts [<another copy of the repository>]
 */

import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow } from './files.ts'
import { root } from './run.ts'

/** What the programs of the command `saoma` read besides modules: files, or folders of files. */
const SOURCES: readonly string[] = [
  '.env.template',
  'docker-compose.yml',
  'docker-compose.production.yml',
  'k8s/overlays/production',
  'nginx',
  'redis',
  'apps/loadtest/src/load/report/page.css',
  'apps/shop/channels.json',
  'apps/gateway/lua',
  'packages/*/lua',
]

/** All files below a path, which may be a file. */
const filesAt = (folder: string, path: string): string[] =>
  globSync(path, { cwd: folder }).flatMap((found) =>
    statSync(join(folder, found)).isFile() ? [found] : filesBelow(folder, found),
  )

/** The files that git knows; undefined where there is no clone or no git. */
const trackedIn = (folder: string): Set<string> | undefined => {
  if (!existsSync(join(folder, '.git'))) return undefined
  const { error, status, stdout, stderr } = spawnSync('git', ['ls-files', '-z'], { cwd: folder, encoding: 'utf8' })
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined
  if (status !== 0) throw new Error(`git cannot list the files of ${folder}: ${stderr || error?.message}`)
  return new Set(stdout.split('\0'))
}

/** `/keys/` -> /^keys$/, `*.log` -> /^(?:.*\/)?[^/]*\.log$/. One without a slash counts at any depth. */
const patternOf = (line: string): RegExp => {
  const path = line.replace(/\/$/, '')
  const text = path
    .replace(/^\//, '')
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
  return new RegExp(`^${path.includes('/') ? '' : '(?:.*/)?'}${text}$`)
}

/** Tells whether .gitignore excludes a file, by the forms that this repository uses: no `!`, no `**`. */
const readIgnored = (folder: string): ((path: string) => boolean) => {
  const lines = readFileSync(join(folder, '.gitignore'), 'utf8').split('\n')
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#')).map(patternOf)
  return (path) => {
    const parts = path.split('/')
    const places = parts.map((_, i) => parts.slice(0, i + 1).join('/'))
    return places.some((place) => patterns.some((pattern) => pattern.test(place)))
  }
}

/**
 * The files of SOURCES. An operator keeps certificates and secrets in the same folders. So what git does not
 * know stays out, and without git what .gitignore excludes.
 *
 * @param folder  a copy of the repository
 * @returns paths relative to it
 */
export const packedFiles = (folder: string): string[] => {
  const tracked = trackedIn(folder)
  const isIgnored = readIgnored(folder)
  const isOurs = (path: string): boolean => (tracked ? tracked.has(path) : !isIgnored(path))
  return SOURCES.flatMap((pattern) => {
    const files = filesAt(folder, pattern).filter(isOurs)
    if (files.length === 0) throw new Error(`${pattern} cannot be packed: there is no such file`)
    return files.sort()
  })
}

if (import.meta.main)
  try {
    console.log(packedFiles(process.argv[2] ?? root).join('\n'))
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }

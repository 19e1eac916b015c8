import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Folders without our own sources: installed, built, or written at run time (.gitignore). */
const OTHERS = new Set(['node_modules', 'dist', '.git', '.stage', '.saoma', '.packages', 'secrets', 'backup'])

/** All files below a folder, relative to it. It does not use git, which may be missing on a machine. */
export const filesBelow = (root: string, folder = ''): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return OTHERS.has(entry.name) ? [] : filesBelow(root, path)
    return entry.isFile() ? [path] : []
  })

import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Folders with nothing of ours: installed, built, or written while it runs (.gitignore). */
const OTHERS = new Set(['node_modules', 'dist', '.git', '.saoma', 'secrets', 'backup'])

/** Every file below a folder, relative to it. Not by git, which a machine need not have. */
export const filesBelow = (root: string, folder = ''): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return OTHERS.has(entry.name) ? [] : filesBelow(root, path)
    return entry.isFile() ? [path] : []
  })

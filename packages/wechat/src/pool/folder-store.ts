import { randomUUID } from 'node:crypto'
import { mkdir, open, opendir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { CodeStore } from './code-store.ts'
import { checkStoreKey, isStoreKey, urlUnder } from './store-key.ts'

export interface FolderStoreOptions {
  /** Public base URL of the folder, if a server offers it. @default none */
  cdn?: string
}

const isMissing = (error: unknown): boolean => (Object(error) as { code?: unknown }).code === 'ENOENT'

/** Pictures in a folder, which is made at the first `put`. Several nodes may share it. */
export const createFolderStore = (folder: string, { cdn }: FolderStoreOptions = {}): CodeStore => {
  const pathOf = (key: string) => join(folder, checkStoreKey(key))

  async function* list(): AsyncIterable<string> {
    try {
      for await (const entry of await opendir(folder)) if (entry.isFile() && isStoreKey(entry.name)) yield entry.name
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  return {
    put: async (key, bytes) => {
      const path = pathOf(key)
      await mkdir(folder, { recursive: true })
      // Under a name that is no key until it is whole: who reads meanwhile finds nothing or the old one, never a half.
      const draft = join(folder, `.${randomUUID()}`)
      try {
        const file = await open(draft, 'wx')
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(draft, path)
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
    },
    get: async (key) => {
      try {
        return await readFile(pathOf(key))
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    remove: async (keys) => {
      for (const path of keys.map(pathOf)) await rm(path, { force: true })
    },
    list,
    url: urlUnder(cdn),
    close: () => {},
  }
}

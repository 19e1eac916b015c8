import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, open, opendir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CodeStore } from './code-store.ts'
import { CodeStoreError } from './code-store-error.ts'
import { checkStoreKey, isStoreKey, urlUnder } from './store-key.ts'

export interface FolderStoreOptions {
  /** Public base URL of the folder, if a server offers it. @default none */
  cdn?: string
}

const codeOf = (error: unknown): unknown => (Object(error) as { code?: unknown }).code
const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT'

/** In every folder that has had a picture. Without it the folder is another, or the disk is not mounted, and no picture can be called lost. */
const MARK = '.saoma-pool'

/** Pictures in a folder, which is made at the first `put`. Several nodes may share it. */
export const createFolderStore = (folder: string, { cdn }: FolderStoreOptions = {}): CodeStore => {
  const unusable = (why: string, isSetting: boolean, cause?: unknown) =>
    new CodeStoreError(`${folder}: ${why}`, { isSetting, cause })

  let isKnown = false
  /** Rejects when the folder is not the one that pictures were put into. */
  const recognise = async () => {
    await access(join(folder, MARK)).catch((cause: unknown) => {
      throw unusable('no picture was ever put here: is it the right folder, and is the disk mounted?', false, cause)
    })
    isKnown = true
  }
  const mark = async () => {
    if (isKnown) return recognise()
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, MARK), '')
    isKnown = true
  }

  const pathOf = (key: string) => join(folder, checkStoreKey(key))

  async function* list(): AsyncIterable<string> {
    try {
      for await (const entry of await opendir(folder)) if (entry.isFile() && isStoreKey(entry.name)) yield entry.name
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  return {
    check: async () => {
      try {
        await mkdir(folder, { recursive: true })
        if (!(await stat(folder)).isDirectory()) throw unusable('this is no folder', true)
        await access(folder, constants.R_OK | constants.W_OK)
      } catch (error) {
        if (error instanceof CodeStoreError) throw error
        if (['EEXIST', 'ENOTDIR'].includes(`${codeOf(error)}`)) throw unusable('this is no folder', true, error)
        throw unusable(`cannot be used (${codeOf(error)})`, true, error)
      }
    },
    put: async (key, bytes) => {
      const path = pathOf(key)
      await mark()
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
        if (!isMissing(error)) throw error
      }
      await recognise()
      return undefined
    },
    remove: async (keys) => {
      for (const path of keys.map(pathOf)) await rm(path, { force: true })
    },
    list,
    url: urlUnder(cdn),
    close: () => {},
  }
}

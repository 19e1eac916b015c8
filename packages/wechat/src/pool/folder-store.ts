import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CodeStore } from './code-store.ts'
import { CodeStoreError } from './code-store-error.ts'
import { checkStoreKey, isStoreKey, MARK, urlUnder } from './store-key.ts'

export interface FolderStoreOptions {
  /** Public base URL of the folder, if a server serves it. @default none */
  cdn?: string
}

const codeOf = (error: unknown): unknown => (Object(error) as { code?: unknown }).code
const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT'

/** Pictures in a folder, which is created at the first `put`. Several nodes may share it. */
export const createFolderStore = (folder: string, { cdn }: FolderStoreOptions = {}): CodeStore => {
  const unusable = (why: string, isSetting: boolean, cause?: unknown) =>
    new CodeStoreError(`${folder}: ${why}`, { isSetting, cause })

  const readMark = async (): Promise<string | undefined> => {
    try {
      return (await readFile(join(folder, MARK), 'utf8')).trim()
    } catch (error) {
      if (isMissing(error)) return undefined
      throw unusable(`cannot be read (${codeOf(error)})`, false, error)
    }
  }
  /** Rejects when the folder was never a store. */
  const recognise = async () => {
    if ((await readMark()) === undefined)
      throw unusable('no picture was ever put here: is it the right folder, and is the disk mounted?', false)
  }
  /**
   * Writes to a temporary name that is not a key, then renames. A reader sees the old file or the new one,
   * never a partial one.
   */
  const write = async (path: string, bytes: Buffer | string) => {
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
  }
  const found = async (id: string) => {
    await mkdir(folder, { recursive: true })
    await write(join(folder, MARK), id)
  }
  /** Concurrent calls run one after the other, so only one creates the folder. */
  let beginning = Promise.resolve()
  /** The folder existed once, so it must not be created again. */
  let isKnown = false
  /**
   * Creates the folder at the first use. A mount point exists even without its disk, so a missing folder is
   * not an unmounted disk.
   */
  const begin = (): Promise<void> => {
    const look = async () => {
      if (!isKnown && (await mkdir(folder, { recursive: true })) !== undefined) await found(randomUUID())
      else await recognise()
      isKnown = true
    }
    beginning = beginning.then(look, look)
    return beginning
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
    place: folder,
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
    id: readMark,
    found,
    put: async (key, bytes) => {
      const path = pathOf(key)
      await begin()
      await write(path, bytes)
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

import { createHmac, timingSafeEqual } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants } from 'node:zlib'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { Logger } from '../../operate/log.ts'

/** The page files of all builds that run in the cluster, or ran recently. */
export interface Builds {
  /**
   * Finds a file that this node's own build does not have, by its path below the root. Undefined if no build
   * has it. Rejects with RedisUnavailable.
   */
  find(path: string): Promise<Buffer | undefined>
  close(): void
}

export interface BuildsOptions {
  /** The folder of this node's own build. */
  root: string
  /**
   * The node's secrets, newest first. They authenticate the files in Redis. Otherwise anybody with write
   * access to Redis could inject a script into the pages.
   */
  secrets: readonly [string, ...string[]]
  /** Called when the files could not be stored in Redis. The node retries. */
  onError: (error: unknown) => void
}

/** How long a page of an old build can still load its parts. */
const KEEP_SECONDS = 7 * 24 * 60 * 60
/** A version of the SDK is named, with its hash, in pages that are not part of a build. */
const KEEP_SDK_SECONDS = 90 * 24 * 60 * 60
/**
 * Interval at which the files are stored again: Redis may have lost them, and the files of a running build
 * must not expire.
 */
const AGAIN_MS = 60 * 60_000
/** The delay after a failure. */
const SOON_MS = 5_000
const MAC_BYTES = 32
/** The best quality would add a second to each start. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }
/** Paths of a build's files: `/index.html`, `/assets/chat-CNAh6bH5.css`, `/sdk/1.2.0-5d41402a/saoma.js`. */
const PATH = /^\/((assets|sdk|sdk\/\w[\w.-]{0,63})\/)?[\w-][\w.-]{0,99}\.(html|js|css|svg|png|json|woff2)$/
const SDK = /^\/sdk\/\d/

const compress = promisify(brotliCompress)
const decompress = promisify(brotliDecompress)

const pathsBelow = async (root: string): Promise<string[]> => {
  const files = await readdir(root, { recursive: true })
  return files.map((file) => `/${file.split(sep).join('/')}`).filter((path) => PATH.test(path))
}

/**
 * During an update two builds run side by side, and a page of one build may ask any node for its parts. So
 * each node stores the files of its build in Redis before it serves a page, and looks there for files that it
 * does not have.
 */
export const openBuilds = async (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  { root, secrets, onError }: BuildsOptions,
): Promise<Builds> => {
  const macWith = (secret: string, path: string, body: Buffer): Buffer =>
    createHmac('sha256', `saoma pages ${secret}`).update(path).update('\0').update(body).digest()
  // Seal with the first and the last secret: during a rotation some
  // nodes know only the one, some only the other.
  const sealsOf = (path: string, body: Buffer): Buffer[] =>
    [secrets[0], secrets.at(-1) ?? secrets[0]].map((secret) => macWith(secret, path, body))

  const put = async (path: string): Promise<void> => {
    const body = await compress(await readFile(join(root, path)), QUALITY)
    const sealed = Buffer.concat([...sealsOf(path, body), body])
    const seconds = SDK.test(path) ? KEEP_SDK_SECONDS : KEEP_SECONDS
    await orUnavailable(data.set(keys.pageFile(path), sealed, 'EX', seconds))
  }
  const putAll = async (): Promise<void> => {
    for (const path of await pathsBelow(root)) await put(path)
  }
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const keepThere = async (): Promise<void> => {
    const failed = await putAll().then(
      () => false,
      (error: unknown) => {
        onError(error)
        return true
      },
    )
    if (!isOver) timer = setTimeout(() => void keepThere(), failed ? SOON_MS : AGAIN_MS).unref()
  }
  await keepThere()

  return {
    find: async (path) => {
      if (!PATH.test(path)) return undefined
      const sealed = await orUnavailable(data.getBuffer(keys.pageFile(path)))
      if (!sealed || sealed.length <= 2 * MAC_BYTES) return undefined
      const body = sealed.subarray(2 * MAC_BYTES)
      const seals = [sealed.subarray(0, MAC_BYTES), sealed.subarray(MAC_BYTES, 2 * MAC_BYTES)]
      const isOurs = secrets.some((secret) => {
        const mac = macWith(secret, path, body)
        return seals.some((seal) => timingSafeEqual(seal, mac))
      })
      return isOurs ? decompress(body) : undefined
    },
    close: () => {
      isOver = true
      clearTimeout(timer)
    },
  }
}

/** Opens the builds of a node, if it serves pages. */
export const openPages = async (
  redis: Parameters<typeof openBuilds>[0],
  { webRoot, secrets }: { webRoot?: string; secrets: readonly [string, ...string[]] },
  log: Pick<Logger, 'warn'>,
): Promise<Builds | undefined> =>
  webRoot === undefined
    ? undefined
    : openBuilds(redis, {
        root: webRoot,
        secrets,
        onError: (error) =>
          log.warn({ err: error, event: 'pages' }, 'the page files could not be stored for other nodes'),
      })

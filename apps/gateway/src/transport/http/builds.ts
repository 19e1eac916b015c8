import { createHmac, timingSafeEqual } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants } from 'node:zlib'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { Logger } from '../../operate/log.ts'

/** The files of the pages of all builds that run in the cluster, or did of late. */
export interface Builds {
  /**
   * A file that this node's own build does not have, by its path below the root. Undefined when no build has
   * it. Rejects with RedisUnavailable.
   */
  find(path: string): Promise<Buffer | undefined>
  close(): void
}

export interface BuildsOptions {
  /** The folder of this node's own build. */
  root: string
  /**
   * Those of the node, the newest first: what lies in Redis is sealed, or whoever writes there could put a
   * script into the pages.
   */
  secrets: readonly [string, ...string[]]
  /** Told when the files could not be put into Redis. It is tried again. */
  onError: (error: unknown) => void
}

/** A page that was loaded from a former build may ask for a part of it as long. */
const KEEP_SECONDS = 7 * 24 * 60 * 60
/**
 * Between two times that the files are put there again: Redis may have lost them, and a build that runs on
 * keeps its files.
 */
const AGAIN_MS = 60 * 60_000
/** The same after a time that failed. */
const SOON_MS = 5_000
const MAC_BYTES = 32
/** The best would take a second of a start. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }
/** What a build makes: `/index.html`, `/assets/chat-CNAh6bH5.css`. */
const PATH = /^\/(assets\/)?[\w-][\w.-]{0,99}\.(html|js|css|svg|png|json|woff2)$/

const compress = promisify(brotliCompress)
const decompress = promisify(brotliDecompress)

const pathsBelow = async (root: string): Promise<string[]> => {
  const files = await readdir(root, { recursive: true })
  return files.map((file) => `/${file.split(sep).join('/')}`).filter((path) => PATH.test(path))
}

/**
 * While nodes are updated two builds run side by side, and a page of one asks any node for its parts. So each
 * node puts the files of its build into Redis before it serves a page, and looks there for what it does not
 * have.
 */
export const openBuilds = async (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  { root, secrets, onError }: BuildsOptions,
): Promise<Builds> => {
  const macWith = (secret: string, path: string, body: Buffer): Buffer =>
    createHmac('sha256', `saoma pages ${secret}`).update(path).update('\0').update(body).digest()
  // By the first secret and by the last: while one is being changed, some nodes know the one only, and some
  // the other.
  const sealsOf = (path: string, body: Buffer): Buffer[] =>
    [secrets[0], secrets.at(-1) ?? secrets[0]].map((secret) => macWith(secret, path, body))

  const put = async (path: string): Promise<void> => {
    const body = await compress(await readFile(join(root, path)), QUALITY)
    const sealed = Buffer.concat([...sealsOf(path, body), body])
    await orUnavailable(data.set(keys.pageFile(path), sealed, 'EX', KEEP_SECONDS))
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

/** The same for a node, if it serves pages. */
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
        onError: (error) => log.warn({ err: error, event: 'pages' }, 'other nodes do not get the files of the pages'),
      })

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, join, normalize } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

const isFile = async (path: string): Promise<boolean> =>
  await stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/** What is no encoding stays as it is. */
const decode = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** The path that a request asks for. A request may name anything, `//` too, which is no address. */
const pathOf = (url: string): string => decode(url.split('?', 1)[0] ?? '')

/** The file of a path, looked for as GitHub Pages does. */
const fileOf = async (folder: string, path: string): Promise<string | undefined> => {
  if (path.includes('//')) return undefined
  for (const name of path.endsWith('/') ? [`${path}index.html`] : [path, `${path}.html`]) {
    // The path begins with a slash, so that no `..` leads out of the folder.
    const file = join(folder, normalize(name))
    if (await isFile(file)) return file
  }
  return undefined
}

/**
 * A server for a built site, on this machine only. VitePress's own would listen on every address.
 * `base` is the path of the site, with a slash at both ends.
 */
export const createSiteServer = (folder: string, base: string): Server =>
  createServer(async (request, response) => {
    const path = pathOf(request.url ?? '/')
    const isBelow = path.startsWith(base)
    const found = isBelow ? await fileOf(folder, path.slice(base.length - 1)) : undefined
    const file = found ?? join(folder, '404.html')
    response.writeHead(found ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
    createReadStream(file)
      .on('error', () => response.end())
      .pipe(response)
  })

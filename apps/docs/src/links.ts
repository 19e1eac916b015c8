import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { downloads, insteadOf, linkOf, type Sheet } from './pages.ts'

const ELSEWHERE = /^(?:[a-z][a-z\d+.-]*:|\/|#)/i
const PICTURE = /\.(?:png|svg|jpe?g|webp)$/

/** The file that a relative link of a file leads to, and the anchor; undefined for all other links. */
export const targetOf = (file: string, href: string): { file: string; hash: string } | undefined => {
  if (ELSEWHERE.test(href)) return undefined
  const [path = '', hash] = href.split('#', 2)
  const target = normalize(join(dirname(file), decodeURI(path))).replace(/\/$/, '')
  return { file: target, hash: hash === undefined ? '' : `#${hash}` }
}

/** Where the site has a picture of the repository. */
export const pictureLink = (file: string): string => `/pictures/${basename(file)}`

/** Where the site has each of these pictures. Throws if two of them would be in one place. */
export const pictureLinks = (files: Iterable<string>): Map<string, string> => {
  const links = new Map<string, string>()
  const fileAt = new Map<string, string>()
  for (const file of files) {
    const link = pictureLink(file)
    const other = fileAt.get(link) ?? file
    if (other !== file) throw new Error(`${other} and ${file} would both be ${link}: give one another name`)
    fileAt.set(link, file)
    links.set(file, link)
  }
  return links
}

interface Site {
  /** The repository's folder. */
  root: string
  /** The repository's address. */
  repository: string
  /** The files that the site has, by their names. */
  sheets: ReadonlyMap<string, Sheet>
}

/**
 * What a link of a Markdown file is in the site. Pages link to pages, and all other files are in the
 * repository.
 */
export const siteLink = ({ root, repository, sheets }: Site, file: string, href: string): string => {
  const target = targetOf(file, href)
  if (!target) return href
  const sheet = sheets.get(target.file)
  if (sheet) return `${linkOf(sheet.address)}${target.hash}`
  const other = downloads[target.file] ?? (target.hash ? undefined : insteadOf[target.file])
  if (other) return other
  if (PICTURE.test(target.file)) return pictureLink(target.file)
  const path = join(root, target.file)
  const kind = existsSync(path) && statSync(path).isDirectory() ? 'tree' : 'blob'
  return `${repository}/${kind}/main/${encodeURI(target.file)}${target.hash}`
}

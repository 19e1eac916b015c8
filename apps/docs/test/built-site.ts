import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a built page has. Addresses are paths of the site, without its base. */
export interface BuiltPage {
  /** The path that people see, such as /login or /zh/. */
  path: string
  html: string
  ids: ReadonlySet<string>
  links: readonly string[]
}

const all = (html: string, what: RegExp): string[] => [...html.matchAll(what)].map(([, found = '']) => plainOf(found))
const plainOf = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&')

/** All pages of a built site, by their paths. */
export const readBuiltSite = (folder: string): Map<string, BuiltPage> =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.html'))
      .map((file) => {
        const html = readFileSync(join(folder, file), 'utf8')
        const path = `/${file.replace(/(^|\/)index\.html$/, '$1').replace(/\.html$/, '')}`
        const ids = new Set(all(html, /\sid="([^"]*)"/g))
        return [path, { path, html, ids, links: all(html, /<a\b[^>]*\shref="([^"]*)"/g) }]
      }),
  )

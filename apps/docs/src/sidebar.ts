import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DefaultTheme } from 'vitepress'
import { apiIndex, groups, linkOf, type Page, type Sheet } from './pages.ts'
import { entryPoints } from './reference.ts'

type Item = DefaultTheme.SidebarItem

/** The folders of TypeDoc, in the order of what people look for. */
const KINDS: readonly [folder: string, title: string][] = [
  ['functions', 'Functions'],
  ['classes', 'Classes'],
  ['interfaces', 'Interfaces'],
  ['type-aliases', 'Types'],
  ['variables', 'Values'],
]

/** The address of an entry point: `api/client/server` for `@saoma/client/server`. */
export const apiAddress = (name: string): string => `api/${name.replace('@saoma/', '')}`

const apiItems = (): Item[] => Object.keys(entryPoints).map((name) => ({ text: name, link: `/${apiAddress(name)}/` }))

/** The sidebar of all pages that are no API of an entry point. */
export const mainSidebar = (there: readonly Sheet[], isChinese: boolean): Item[] => {
  const present = new Map(there.map((sheet) => [sheet.address, sheet]))
  const item = (page: Page): Item[] => {
    const title = isChinese ? page.titleZh : page.title
    const translated = isChinese && present.get(`zh/${page.address}`)
    if (translated) return [{ text: title, link: linkOf(translated.address) }]
    if (!present.has(page.address)) return []
    return [{ text: isChinese ? `${title}（英文）` : title, link: linkOf(page.address) }]
  }
  return [
    ...groups.map((group) => ({
      text: isChinese ? group.titleZh : group.title,
      items: group.pages.flatMap(item),
    })),
    { text: 'API', items: [...item(apiIndex), ...apiItems()] },
  ]
}

/**
 * One sidebar for each entry point, by its path. A sidebar with every name of every package would be a
 * thousand lines of each page.
 */
export const apiSidebars = (stage: string): Record<string, Item[]> =>
  Object.fromEntries(
    Object.keys(entryPoints).map((name) => {
      const address = apiAddress(name)
      const folders = readdirSync(join(stage, address))
      const kinds = KINDS.filter(([folder]) => folders.includes(folder)).map(([folder, text]) => ({
        text,
        items: readdirSync(join(stage, address, folder))
          .map((file) => file.replace(/\.md$/, ''))
          .sort()
          .map((member) => ({ text: member, link: `/${address}/${folder}/${member}` })),
      }))
      return [`/${address}/`, [{ text: 'API', items: [{ text: 'Overview', link: '/api/' }, ...apiItems()] }, ...kinds]]
    }),
  )

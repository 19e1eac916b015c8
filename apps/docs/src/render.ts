import type { MarkdownRenderer } from 'vitepress'
import { siteLink } from './links.ts'
import { readSheets } from './pages.ts'
import { repository, root } from './repository.ts'

/** Characters beside which a line break of the source is no blank. */
const WIDE_END = /[\p{Script=Han}，。；：、！？）」』】》]$/u
const WIDE_START = /^[\p{Script=Han}（「『【《]/u

/** Whether lines of Chinese meet here. The marks of a link or of bold text may stand between them. */
const isBetweenWide = (tokens: readonly { content: string }[], i: number): boolean => {
  const hasText = ({ content }: { content: string }): boolean => content !== ''
  const before = tokens.slice(0, i).findLast(hasText)
  const after = tokens.slice(i + 1).find(hasText)
  return before !== undefined && after !== undefined && WIDE_END.test(before.content) && WIDE_START.test(after.content)
}

/**
 * Has pages of the repository rendered as pages of the site: links by the table of pages, Chinese lines
 * without a blank between them, and no template of Vue in text.
 */
export const renderForSite = (md: MarkdownRenderer): void => {
  const { there } = readSheets(root)
  const sheets = new Map(there.map((sheet) => [sheet.file, sheet]))
  const files = new Map(there.map(({ file, address }) => [`${address}.md`, file]))
  const site = { root, repository, sheets }

  md.core.ruler.push('saoma_site', ({ tokens, env }) => {
    const file = files.get((env as { relativePath?: string }).relativePath ?? '')
    if (file === undefined) return
    for (const { children } of tokens)
      for (const [i, child] of (children ?? []).entries()) {
        const name = child.type === 'image' ? 'src' : 'href'
        const href = child.attrGet(name)
        if (href !== null) child.attrSet(name, siteLink(site, file, href))
        if (child.type !== 'softbreak' || !isBetweenWide(children ?? [], i)) continue
        child.type = 'text'
        child.content = ''
      }
  })

  // Vue reads the page that Markdown makes, and would take {{ x }} for an expression.
  for (const rule of ['text', 'code_inline'] as const) {
    const render = md.renderer.rules[rule]
    md.renderer.rules[rule] = (...args) => (render?.(...args) ?? '').replaceAll('{{', '&#123;&#123;')
  }
}

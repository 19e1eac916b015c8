import { slug } from 'github-slugger'
import MarkdownIt, { type Token } from 'markdown-it'

/** A heading, with the anchor that GitHub and the site give it. */
export interface Heading {
  level: number
  text: string
  anchor: string
  line: number
}

export interface Link {
  href: string
  isPicture: boolean
  line: number
  /** How many headings are before it. */
  section: number
}

/** A block of code. `language` is empty where none is given. */
export interface Code {
  language: string
  text: string
  line: number
}

export interface Table {
  rows: number
  columns: number
  line: number
}

/** What a check or a translation has to know about a page. */
export interface Outline {
  headings: Heading[]
  links: Link[]
  codes: Code[]
  tables: Table[]
  /** Anchors that HTML in the page makes. */
  anchors: string[]
}

const FRONT_MATTER = /^---\n[\s\S]*?\n---\n/
const HTML_ANCHOR = /<[^>]*\s(?:id|name)="([^"]+)"/g
const HTML_LINK = /<(a|img)\b[^>]*\s(?:href|src)="([^"]+)"/g

const parser = new MarkdownIt({ html: true })

/** As GitHub reads a heading: the words without their marks. */
const textOf = (children: readonly Token[]): string =>
  children
    .filter(({ type }) => type === 'text' || type === 'code_inline')
    .map(({ content }) => content)
    .join('')

/** Of two headings with the same words, the second has `-1` behind its anchor. */
const anchorsFor = () => {
  const used = new Set<string>()
  return (text: string): string => {
    const base = slug(text)
    let anchor = base
    for (let count = 1; used.has(anchor); count += 1) anchor = `${base}-${count}`
    used.add(anchor)
    return anchor
  }
}

/** Reads the parts of a Markdown page, with the numbers of their lines. */
export const outlineOf = (text: string): Outline => {
  const outline: Outline = { headings: [], links: [], codes: [], tables: [], anchors: [] }
  const anchorOf = anchorsFor()
  // Blank lines in its place keep the numbers.
  const body = text.replace(FRONT_MATTER, (front) => front.replace(/[^\n]/g, ''))
  const tokens = parser.parse(body, {})
  let line = 1
  const html = (content: string): void => {
    outline.anchors.push(...[...content.matchAll(HTML_ANCHOR)].map(([, anchor = '']) => anchor))
    for (const [, tag, href = ''] of content.matchAll(HTML_LINK))
      outline.links.push({ href, isPicture: tag === 'img', line, section: outline.headings.length })
  }
  for (const [i, token] of tokens.entries()) {
    if (token.map) line = token.map[0] + 1
    const children = token.children ?? []
    const table = outline.tables.at(-1)
    if (token.type === 'heading_open') {
      const words = textOf(tokens[i + 1]?.children ?? [])
      outline.headings.push({ level: Number(token.tag.slice(1)), text: words, anchor: anchorOf(words), line })
    } else if (token.type === 'fence' || token.type === 'code_block') {
      outline.codes.push({ language: token.info.trim().split(/\s/)[0] ?? '', text: token.content, line })
    } else if (token.type === 'table_open') outline.tables.push({ rows: 0, columns: 0, line })
    else if (token.type === 'tr_open' && table) table.rows += 1
    else if (token.type === 'th_open' && table) table.columns += 1
    else if (token.type === 'html_block') html(token.content)
    // Lines of a paragraph are counted by its breaks.
    for (const child of children) {
      if (child.type === 'softbreak' || child.type === 'hardbreak') line += 1
      const href = child.attrGet(child.type === 'image' ? 'src' : 'href')
      if (child.type === 'html_inline') html(child.content)
      else if (typeof href === 'string' && /^(?:image|link_open)$/.test(child.type))
        outline.links.push({ href, isPicture: child.type === 'image', line, section: outline.headings.length })
    }
  }
  return outline
}

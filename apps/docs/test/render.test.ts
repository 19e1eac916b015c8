import MarkdownIt from 'markdown-it'
import type { MarkdownRenderer } from 'vitepress'
import { pictureLinks } from '../src/links.ts'
import { renderForSite } from '../src/render.ts'

/** The text of a Chinese page, as a browser shows it. */
const shown = (text: string): string => {
  const md = new MarkdownIt()
  // VitePress brings types of an older version.
  renderForSite(md as unknown as MarkdownRenderer)
  return md
    .render(text, { relativePath: 'zh/start.md' })
    .replace(/<[^>]+>/g, '')
    .trim()
}

test.each([
  ['between two lines', '网页显示二维码，\n手机扫码。', '网页显示二维码，手机扫码。'],
  ['before a link', '已有的连接会移走，\n[说明](live.md)。', '已有的连接会移走，说明。'],
  ['after a link', '见[说明](live.md)\n和术语表。', '见说明和术语表。'],
  ['between a link and bold text', '见[说明](live.md)\n**和**术语表。', '见说明和术语表。'],
  ['in bold text, before a link in it', '**请看\n[说明](live.md)**。', '请看说明。'],
])('a line break of Chinese %s is no blank', (_, text, plain) => {
  expect(shown(text)).toBe(plain)
})

test.each([
  ['a word', '运行\nnode，然后看', '运行\nnode，然后看'],
  ['code', '运行\n`npm start`\n然后看', '运行\nnpm start\n然后看'],
  ['a link of Latin words', '见\n[Redis](live.md)\n的说明', '见\nRedis\n的说明'],
])('a line break beside %s stays one', (_, text, plain) => {
  expect(shown(text)).toBe(plain)
})

test('a picture has its place by its name, and two of one name are told of', () => {
  const files = ['docs/login.png', 'docs/chat.png', 'docs/login.png']
  expect([...pictureLinks(files)]).toEqual([
    ['docs/login.png', '/pictures/login.png'],
    ['docs/chat.png', '/pictures/chat.png'],
  ])
  expect(() => pictureLinks([...files, 'apps/web/login.png'])).toThrow(
    'docs/login.png and apps/web/login.png would both be /pictures/login.png',
  )
})

import { runCheck } from './run-check.ts'

const FINE = 'Links: every page, file and heading that is linked to is there.'
const other = '# Other\n\n## The `code` of it\n\n## Again\n\n## Again\n\n## 登录，并校验令牌\n\n<a id="by-hand"></a>\n'

const check = (page: string, more: Record<string, string> = {}): Promise<string[]> =>
  runCheck('check-links.ts', {
    'docs/page.md': page,
    'docs/other.md': other,
    'docs/login.png': '',
    'README.md': '# Read me\n\n## Try it\n',
    'node_modules/some/README.md': '[gone](gone.md)',
    ...more,
  })

test.each([
  ['a page', '[so](../README.md#try-it)'],
  ['elsewhere', '[so](https://example.com/gone.md#gone) <http://127.0.0.1:8080> [mail](mailto:a@example.com)'],
  ['a heading of the page itself', '## Here\n\n[so](#here)'],
  ['a heading with code', '[so](other.md#the-code-of-it)'],
  ['the second of two headings', '[so](other.md#again-1)'],
  [
    'a Chinese heading, as it is written and as browsers write it',
    '[so](other.md#登录并校验令牌) [so](other.md#%E7%99%BB%E5%BD%95%E5%B9%B6%E6%A0%A1%E9%AA%8C%E4%BB%A4%E7%89%8C)',
  ],
  ['an anchor of HTML', '[so](other.md#by-hand)'],
  ['a folder and a picture', '[so](../docs/) ![a login](login.png)'],
  ['what is only code', '`[so](gone.md)`\n\n```md\n[so](gone.md)\n```'],
])('a link to %s', async (_, page) => {
  expect(await check(page)).toEqual([FINE])
})

test.each([
  ['a page', '\n[so](gone.md)', 'docs/page.md:2 links to docs/gone.md, which is not there'],
  [
    'a page, in the second line of a paragraph',
    'a\nb [so\nfar](gone.md)',
    'docs/page.md:2 links to docs/gone.md, which is not there',
  ],
  ['a page, in a table', '| a |\n|---|\n| [so](gone.md) |', 'docs/page.md:3 links to docs/gone.md, which is not there'],
  ['a page, by a reference', '[so][far]\n\n[far]: gone.md', 'docs/page.md:1 links to docs/gone.md, which is not there'],
  ['a picture', '![so](gone.png)', 'docs/page.md:1 links to docs/gone.png, which is not there'],
  ['a picture of HTML', '<img src="gone.png" alt="">', 'docs/page.md:1 links to docs/gone.png, which is not there'],
  ['a heading', '[so](other.md#gone)', 'docs/page.md:1 links to #gone, which is no heading of docs/other.md'],
  ['a heading of the page', '[so](#gone)', 'docs/page.md:1 links to #gone, which is no heading of docs/page.md'],
  [
    'a third heading of two',
    '[so](other.md#again-2)',
    'docs/page.md:1 links to #again-2, which is no heading of docs/other.md',
  ],
  ['an address of the site', '[so](/login)', 'docs/page.md:1 links to /login: write it relative to the page'],
])('a link to %s that is not there', async (_, page, told) => {
  expect(await check(page)).toEqual([told])
})

test('a page that a program names has the heading', async () => {
  const main = "fail('docs/other.md#again')\nfail('See docs/other.md#gone.')"
  expect(await check('', { 'apps/gateway/src/main.ts': main })).toEqual([
    'apps/gateway/src/main.ts:2 links to #gone, which is no heading of docs/other.md',
  ])
})

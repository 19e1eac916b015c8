import { dirname, relative } from 'node:path'
import { pages } from '../src/pages.ts'
import { runCheck } from './run-check.ts'

const FINE = 'Translations: each Chinese page has the headings, code and links of the English.'

/** All pages of the table, as short as they may be. */
const others = Object.fromEntries(
  pages.flatMap(({ file, fileZh }) => [
    [file, '# Page\n'],
    ...(fileZh ? [[fileZh, `# 页面\n\n[English](${relative(dirname(fileZh), file)})\n`]] : []),
  ]),
)

const english = `# Live

See [codes](../PROTOCOL.md#codes) and [below](#a-room).

\`\`\`js
// Says hello.
say('hello') // now
\`\`\`

## A room

| a | b |
|---|---|
| 1 | [the test](../apps/web/test/web.test.ts) |

\`\`\`
browser -> node
\`\`\`
`
const chinese = `# 实时

[English](../live.md)

见[下文](#房间)和[错误码](protocol.md#错误码)。

\`\`\`js
// 打招呼。
say('hello') // 现在
\`\`\`

## 房间

| 甲 | 乙 |
|---|---|
| 1 | [测试](../../apps/web/test/web.test.ts) |

\`\`\`
浏览器 -> 节点
\`\`\`
`

const check = (page: string): Promise<string[]> =>
  runCheck('check-translations.ts', {
    ...others,
    'PROTOCOL.md': '# Protocol\n\n## Codes\n',
    'docs/zh/protocol.md': '# 协议\n\n[English](../../PROTOCOL.md)\n\n## 错误码\n',
    'docs/live.md': english,
    'docs/zh/live.md': page,
  })

test('a translation may have other words, comments, pictures in letters, and another order in a section', async () => {
  expect(await check(chinese)).toEqual([FINE])
})

test.each([
  [
    'level of a heading',
    '## 房间',
    '### 房间',
    ['docs/zh/live.md:12 has “房间” (level 3, line 12) where docs/live.md has “A room” (level 2, line 10)'],
  ],
  ['line of code', "say('hello')", "say('你好')", ['docs/zh/live.md:7 is other code than docs/live.md:5']],
  ['row', '| 1 |', '| 2 | |\n| 1 |', ['docs/zh/live.md:14 has 3 rows and 2 columns, and docs/live.md:12 has 2 and 2']],
  [
    'target',
    'web.test.ts',
    'gone.test.ts',
    [
      'docs/zh/live.md:12 does not link to apps/web/test/web.test.ts, as docs/live.md does here',
      'docs/zh/live.md:12 links to apps/web/test/gone.test.ts, which docs/live.md does not here',
    ],
  ],
  [
    'heading as target',
    '(#房间)',
    '(#实时)',
    [
      'docs/zh/live.md:1 does not link to docs/live.md#a-room, as docs/live.md does here',
      'docs/zh/live.md:1 links to docs/live.md#live, which docs/live.md does not here',
    ],
  ],
  [
    'language',
    '(protocol.md#错误码)',
    '(../../PROTOCOL.md#codes)',
    ['docs/zh/live.md:5 links to PROTOCOL.md, which is in Chinese at docs/zh/protocol.md'],
  ],
  ['way back', '[English](../live.md)\n', '', ['docs/zh/live.md has no link to docs/live.md']],
])('another %s is told of', async (_, there, instead, told) => {
  expect(await check(chinese.replace(there, instead))).toEqual(told)
})

test('a page that is missing, and one that is in no table, are told of', async () => {
  const { 'docs/zh/start.md': _, ...rest } = others
  expect(await runCheck('check-translations.ts', { ...rest, 'docs/zh/stray.md': '' })).toEqual([
    'docs/zh/start.md is a page of the site, and not written yet',
    'docs/zh/stray.md is no page of apps/docs/src/pages.ts',
  ])
})

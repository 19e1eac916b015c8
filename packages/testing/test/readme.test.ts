import { pageBlocks } from '@saoma/testing'
import { LIST, LIVE, LOGIN, START } from './documented-list.ts'

/* What people copy from README.md first: it is what tests run from the pages, and the same in Chinese. */

const [ENGLISH, CHINESE] = ['README.md', 'README.zh-CN.md'] as const
/** The Chinese page says so to the person, and asks for a login in Chinese. */
const TRANSLATED: readonly [english: string, chinese: string][] = [['`Hello, ${', '`你好，${']]
const LANGUAGE = / lang="\w+"/

/** The commands of a block, without their comments. A command may go on in the next line. */
const commandsIn = (code: string): string[] =>
  code
    .replaceAll('\\\n', '')
    .split('\n')
    .map((line) =>
      line
        .replace(/(?:^|\s+)# .*$/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '')

/** The blocks of the pages that a test runs: those of `documented-list.ts` with no `why`. */
const run = [START, LOGIN, LIVE].flatMap(pageBlocks).filter((_, at) => LIST[at]?.why === undefined)
const plain = (code: string): string => code.replace(LANGUAGE, '')

test('every block is one that a test runs from another page', () => {
  const commands = new Set(run.filter(({ language }) => language === 'sh').flatMap(({ code }) => commandsIn(code)))
  // What runs now.
  commands.add('npm test')
  const others = new Set(run.filter(({ language }) => language !== 'sh').map(({ code }) => plain(code)))
  const blocks = pageBlocks(ENGLISH)
  expect(blocks.length).toBeGreaterThan(2)
  for (const { language, code } of blocks)
    if (language === 'sh') expect(commandsIn(code).filter((command) => !commands.has(command))).toEqual([])
    else expect([...others]).toContain(plain(code))
})

test('both languages have the same blocks', () => {
  const bare = (page: string) =>
    pageBlocks(page).map(({ language, code }) => {
      if (language === 'sh') return { language, code: commandsIn(code) }
      const english = TRANSLATED.reduce((all, [one, other]) => all.replaceAll(other, one), code)
      return { language, code: plain(english) }
    })
  expect(bare(CHINESE)).toEqual(bare(ENGLISH))
})

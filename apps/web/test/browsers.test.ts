import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensurePage, pageFolder } from '@saoma/testing'

/*
 * The syntax of the built files is that of es2022: Chrome and Edge 94, Firefox 93, Safari 16.4, as the README
 * says. No tool that builds looks at functions. Below is what came later to one of these browsers and has a
 * name of its own, so that its use can be seen in a text.
 */

const LATER = [
  /\bAbortSignal\.(any|timeout)\b/,
  /\bArray\.fromAsync\b/,
  /\bError\.isError\b/,
  /\bIntl\.(DurationFormat|Segmenter)\b/,
  /\bIterator\.from\b/,
  /\bJSON\.(rawJSON|isRawJSON)\b/,
  /\b(Object|Map)\.groupBy\b/,
  /\bPromise\.(withResolvers|try)\b/,
  /\bRegExp\.escape\b/,
  /\bURL\.(canParse|parse)\b/,
  /\bUint8Array\.(fromBase64|fromHex)\b/,
  /\bstructuredClone\(/,
  /\brequestIdleCallback\(/,
  /\bscheduler\.(yield|postTask)\b/,
  /\.(findLast|findLastIndex|toReversed|toSorted|toSpliced|isWellFormed|toWellFormed|isSubsetOf|symmetricDifference)\(/,
  /\.(checkVisibility|showPopover|togglePopover|moveBefore|setHTML|setHTMLUnsafe|getHTML)\(/,
  /\bnew (CompressionStream|SharedWorker|URLPattern|FinalizationRegistry\.)\b/,
]

beforeAll(() => ensurePage(() => {}), 90_000)

/** The viewer of `/docs` is another's, for developers. */
const files = () => globSync('**/*.js', { cwd: pageFolder }).filter((file) => !file.startsWith('docs/viewer/'))

test('the built files use only features of the browsers they are said to run in', () => {
  expect(files()).toContain('saoma-login.js')
  const used = files().flatMap((file) => {
    const text = readFileSync(join(pageFolder, file), 'utf8')
    return LATER.flatMap((name) => name.exec(text)?.[0].concat(` in ${file}`) ?? [])
  })
  expect(used).toEqual([])
})

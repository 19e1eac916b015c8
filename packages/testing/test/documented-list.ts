import { pageBlocks, until } from '@saoma/testing'
import type { Reader } from './reader.ts'

/** A fenced block of a page that people copy from, and how it is proved. */
export interface Entry {
  page: string
  heading: string
  language: string
  /** A reader runs it: looks at what it printed, and at what it did. */
  here?: (reader: Reader, printed: string) => unknown
  /** Otherwise: the test file, or the script of a test, that runs it. */
  by?: string
  /** Otherwise: why no test of the repository does. */
  why?: string
}

export const [START, LOGIN, LIVE] = ['docs/start.md', 'docs/login.md', 'docs/live.md'] as const

const REACT = 'packages/react/test/react.test.ts'
const VUE = 'packages/vue/test/vue.test.ts'
const SNIPPETS = 'apps/web/test/documented-snippets.test.ts'
const BACKEND = 'apps/web/test/documented-backend.test.ts'
const BUTTON = 'apps/web/test/application-button.test.ts'
const BOUND = 'apps/web/test/bound-tokens.test.ts'
// The night runs this script: it takes two minutes, and needs npm's registry.
const FILES = 'scripts/first-steps.ts'
const INSTALLED = 'packages/client/test/installed.test.ts'
const LANGUAGES = 'packages/client/test/other-languages.test.ts'
const END = 'apps/gateway/test/end-person.test.ts'
const HOOK = 'packages/client/test/account-hook.test.ts'
const IMPORT = 'apps/gateway/test/accounts-command.test.ts'

/** That the answer has the members of the one that stands in a comment below the command. */
const expectShown = (words: string, printed: string): void => {
  const block = pageBlocks(LIVE).find(({ code }) => code.includes(words))
  const shown = JSON.parse(/^# (\{.*\})$/m.exec(block?.code ?? '')?.[1] ?? 'null')
  const forms = (value: object) => Object.entries(value).map(([name, member]) => `${name} ${typeof member}`)
  expect(forms(JSON.parse(printed))).toEqual(forms(shown))
}

/** The blocks of these pages in their order. */
export const LIST: readonly Entry[] = [
  {
    page: START,
    heading: 'From the repository',
    language: 'sh',
    why: 'it fetches this repository, and the test looks at the one that it is in',
  },
  { page: START, heading: 'From the repository', language: 'sh', here: (reader) => reader.openChat() },
  {
    page: START,
    heading: 'From the repository',
    language: 'sh',
    here: async (reader, printed) => {
      expect(JSON.parse(printed)).toMatchObject({ offset: 1, connections: 1 })
      await reader.closeChat('hello from curl')
    },
  },
  {
    page: START,
    heading: 'From the repository',
    language: 'sh',
    here: (_, printed) =>
      expect(JSON.parse(printed)).toMatchObject({ messages: [{ data: { text: 'hello from curl' }, offset: 1 }] }),
  },
  { page: START, heading: 'From packages', language: 'sh', by: FILES },
  { page: START, heading: 'From packages', language: 'sh', by: FILES },
  { page: START, heading: 'From packages', language: 'sh', by: FILES },
  { page: START, heading: 'From packages', language: 'html', by: FILES },
  { page: START, heading: 'From packages', language: 'jsx', by: FILES },
  { page: START, heading: 'From packages', language: 'js', by: FILES },
  { page: START, heading: 'From packages', language: 'sh', by: FILES },
  { page: START, heading: 'From packages', language: 'sh', by: FILES },

  { page: LOGIN, heading: 'Use the element', language: 'html', by: SNIPPETS },
  { page: LOGIN, heading: 'Use the element', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'On the pages of an application', language: 'html', by: BUTTON },
  { page: LOGIN, heading: 'On the pages of an application', language: 'html', by: BUTTON },
  { page: LOGIN, heading: 'On the pages of an application', language: 'sh', by: BUTTON },
  { page: LOGIN, heading: 'In React', language: 'jsx', by: REACT },
  { page: LOGIN, heading: 'In Vue', language: 'js', by: VUE },
  { page: LOGIN, heading: 'In Vue', language: 'vue', by: VUE },
  {
    page: LOGIN,
    heading: "Allow your page's origin",
    language: 'sh',
    here: async (reader) => {
      expect(await reader.ask('http://localhost:5173')).toMatchObject({ status: 200 })
      expect(await reader.ask('http://localhost:5174')).not.toMatchObject({ status: 200 })
    },
  },
  { page: LOGIN, heading: 'Install the package', language: 'sh', by: INSTALLED },
  { page: LOGIN, heading: 'Use your own markup', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'A page without a build', language: 'html', by: SNIPPETS },
  { page: LOGIN, heading: 'A page without a build', language: 'html', by: SNIPPETS },
  { page: LOGIN, heading: 'Content-Security-Policy', language: '', by: SNIPPETS },
  { page: LOGIN, heading: 'In Node', language: 'js', by: BACKEND },
  { page: LOGIN, heading: 'In Node', language: 'js', by: BACKEND },
  { page: LOGIN, heading: 'In other languages', language: 'python', by: LANGUAGES },
  { page: LOGIN, heading: 'In other languages', language: 'php', why: 'no machine of ours has PHP; the page says so' },
  {
    page: LOGIN,
    heading: 'In other languages',
    language: 'java',
    why: 'no machine of ours has Java; the page says so',
  },
  { page: LOGIN, heading: 'Keep the person logged in', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'Bind the tokens to the browser', language: 'js', by: BOUND },
  { page: LOGIN, heading: 'Bind the tokens to the browser', language: 'js', by: BOUND },
  { page: LOGIN, heading: 'Hear of a logout on another device', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'Show where a person is logged in', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'End the sessions of a person', language: 'sh', by: END },
  { page: LOGIN, heading: 'Use the people you have', language: 'sh', by: HOOK },
  { page: LOGIN, heading: 'Use the people you have', language: 'js', by: HOOK },
  { page: LOGIN, heading: 'Use the people you have', language: 'json', by: IMPORT },
  { page: LOGIN, heading: 'Use the people you have', language: 'sh', by: IMPORT },

  {
    page: LIVE,
    heading: 'Try it on your machine',
    language: 'sh',
    here: (_, printed) => expect(JSON.parse(printed)).toMatchObject({ offset: expect.any(Number) }),
  },
  {
    page: LIVE,
    heading: 'Publish from a backend',
    language: 'sh',
    here: async (reader, printed) => {
      const key = /saoma_shop_[\w-]{43}/.exec(printed)?.[0] ?? ''
      reader.variables.KEY = key
      // The nodes read the file again.
      await until(
        async () => (await reader.read('/v1/channels/room:x/messages', key)).status,
        (status) => status === 200,
      )
    },
  },
  {
    page: LIVE,
    heading: 'Publish from a backend',
    language: 'sh',
    here: (_, printed) => expectShown('order-7-paid', printed),
  },
  { page: LIVE, heading: 'In Node', language: 'js', by: BACKEND },
  { page: LIVE, heading: 'Receive in a page', language: 'js', by: SNIPPETS },
  { page: LIVE, heading: 'In React', language: 'jsx', by: REACT },
  { page: LIVE, heading: 'In Vue', language: 'vue', by: VUE },
  { page: LIVE, heading: 'In Vue', language: 'vue', by: VUE },
  {
    page: LIVE,
    heading: 'Open rooms with rules',
    language: 'sh',
    here: async ({ people, read }) => {
      people.set('member', '{"uid":7,"rooms":["club-1"]}')
      people.set('other', '{"uid":8}')
      expect(await read('/v1/channels/room:club-1/messages', 'member')).toMatchObject({ status: 200 })
      expect(await read('/v1/channels/room:club-1/messages', 'other')).toMatchObject({ status: 403 })
      expect(await read('/v1/channels/room:table-1/messages', 'other')).toMatchObject({ status: 200 })
    },
  },
  {
    page: LIVE,
    heading: 'Use tokens of your own',
    language: 'json',
    here: async ({ people, read }, json) => {
      people.set('documented', json)
      const own = await read('/v1/channels/@user/messages', 'documented')
      expect(own).toMatchObject({ status: 200, body: { channel: `user:${JSON.parse(json).uid}` } })
    },
  },
]

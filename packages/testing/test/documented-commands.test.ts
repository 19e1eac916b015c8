import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  confirm,
  ensurePage,
  ensurePrograms,
  freePort,
  launchBrowser,
  onCleanup,
  type PageBlock,
  type Process,
  pageBlocks,
  phoneToken,
  plainEnv,
  request,
  runShell,
  scan,
  startProcess,
  until,
  webToken,
} from '@saoma/testing'

/*
 * Every fenced block of the pages that people copy from is run by a test. This file runs the shell commands,
 * in the order of the pages, in a folder that looks like a clone. Its list names the test of each other
 * block. A block that is new, or that has moved, fails it until the list has it.
 */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const [START, LOGIN, LIVE] = ['docs/start.md', 'docs/login.md', 'docs/live.md'] as const
/** Stand in the pages for the cluster. */
const PRINTED = ['http://127.0.0.1:8080', 'https://login.example.com']
const START_TIMEOUT_MS = 120_000

/** What a command printed. */
type Check = (printed: string) => unknown
interface Entry {
  page: string
  heading: string
  language: string
  /** Runs here: looks at what the command printed, and at what it did. */
  here?: Check
  /** Otherwise: the test file that runs it. */
  by?: string
  /** Otherwise: why no test of the repository does. */
  why?: string
}

const REACT = 'packages/react/test/react.test.ts'
const VUE = 'packages/vue/test/vue.test.ts'
const SNIPPETS = 'apps/web/test/documented-snippets.test.ts'
// A test of the command runs this script.
const FILES = 'scripts/first-steps.ts'
const INSTALLED = 'packages/client/test/installed.test.ts'
const LANGUAGES = 'packages/client/test/other-languages.test.ts'

let folder: string
let port: number
let origin: string
let cluster: Process | undefined
/** Variables that the reader has in the second terminal. */
const variables: Record<string, string> = {}
/** How the business answers that a cluster asks about tokens of its own. */
let business: { url: string; people: Map<string, string> }
let chat: Awaited<ReturnType<Awaited<ReturnType<typeof launchBrowser>>['newPage']>>

const read = (path: string, bearer: string) => request<Record<string, unknown>>(`${origin}${path}`, { bearer })
const asked = (page: string) =>
  request(`${origin}/oidc/device/auth`, { headers: { origin: page }, form: { client_id: 'web' } })

/** Opens the chat of the demo and logs in, as the page says: by hand on a phone. */
const logInToChat = async () => {
  chat = await (await launchBrowser()).newPage()
  await chat.goto(`${origin}/chat.html`)
  await chat.locator('saoma-login img').waitFor()
  const ticket = await chat.evaluate<string>("document.querySelector('saoma-login').state.ticket")
  const phone = await phoneToken(origin, 'Li Lei')
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
  await chat.locator('saoma-login').waitFor({ state: 'detached' })
}

/** That the answer has the members of the one that stands in a comment below the command. */
const hasPrinted = (block: PageBlock | undefined, printed: string) => {
  const shown = JSON.parse(/^# (\{.*\})$/m.exec(block?.code ?? '')?.[1] ?? 'null')
  const forms = (value: object) => Object.entries(value).map(([name, member]) => `${name} ${typeof member}`)
  expect(forms(JSON.parse(printed))).toEqual(forms(shown))
}

const LIST: readonly Entry[] = [
  { page: START, heading: 'From the repository', language: 'sh', here: logInToChat },
  {
    page: START,
    heading: 'From the repository',
    language: 'sh',
    here: async (printed) => {
      expect(JSON.parse(printed)).toMatchObject({ offset: 1, connections: 1 })
      await chat.getByText('hello from curl').waitFor()
      await chat.close()
    },
  },
  {
    page: START,
    heading: 'From the repository',
    language: 'sh',
    here: (printed) =>
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
  { page: LOGIN, heading: 'In React', language: 'jsx', by: REACT },
  { page: LOGIN, heading: 'In Vue', language: 'js', by: VUE },
  { page: LOGIN, heading: 'In Vue', language: 'vue', by: VUE },
  {
    page: LOGIN,
    heading: "Allow your page's origin",
    language: 'sh',
    here: async () => {
      expect(await asked('http://localhost:5173')).toMatchObject({ status: 200 })
      expect(await asked('http://localhost:5174')).not.toMatchObject({ status: 200 })
    },
  },
  {
    page: LOGIN,
    heading: 'Install the package',
    language: 'sh',
    by: INSTALLED,
  },
  { page: LOGIN, heading: 'Use your own markup', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'A page without a build', language: 'html', by: SNIPPETS },
  { page: LOGIN, heading: 'A page without a build', language: 'html', by: SNIPPETS },
  { page: LOGIN, heading: 'Content-Security-Policy', language: '', by: SNIPPETS },
  { page: LOGIN, heading: 'In Node', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'In Node', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'In other languages', language: 'python', by: LANGUAGES },
  { page: LOGIN, heading: 'In other languages', language: 'php', why: 'no machine of ours has PHP; the page says so' },
  {
    page: LOGIN,
    heading: 'In other languages',
    language: 'java',
    why: 'no machine of ours has Java; the page says so',
  },
  { page: LOGIN, heading: 'Keep the person logged in', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'Hear of a logout on another device', language: 'js', by: SNIPPETS },
  { page: LOGIN, heading: 'Show where a person is logged in', language: 'js', by: SNIPPETS },

  {
    page: LIVE,
    heading: 'Try it on your machine',
    language: 'sh',
    here: (printed) => expect(JSON.parse(printed)).toMatchObject({ offset: expect.any(Number) }),
  },
  {
    page: LIVE,
    heading: 'Publish from a backend',
    language: 'sh',
    here: async (printed) => {
      variables.KEY = /saoma_shop_[\w-]{43}/.exec(printed)?.[0] ?? ''
      // The nodes read the file again.
      await until(
        async () => (await read('/v1/channels/room:x/messages', variables.KEY ?? '')).status,
        (status) => status === 200,
      )
    },
  },
  {
    page: LIVE,
    heading: 'Publish from a backend',
    language: 'sh',
    here: (printed) =>
      hasPrinted(
        pageBlocks(LIVE).find(({ code }) => code.includes('order-7-paid')),
        printed,
      ),
  },
  { page: LIVE, heading: 'In Node', language: 'js', by: SNIPPETS },
  { page: LIVE, heading: 'Receive in a page', language: 'js', by: SNIPPETS },
  { page: LIVE, heading: 'In React', language: 'jsx', by: REACT },
  { page: LIVE, heading: 'In Vue', language: 'vue', by: VUE },
  { page: LIVE, heading: 'In Vue', language: 'vue', by: VUE },
  {
    page: LIVE,
    heading: 'Open rooms with rules',
    language: 'sh',
    here: async () => {
      business.people.set('member', '{"uid":7,"rooms":["club-1"]}')
      business.people.set('other', '{"uid":8}')
      expect(await read('/v1/channels/room:club-1/messages', 'member')).toMatchObject({ status: 200 })
      expect(await read('/v1/channels/room:club-1/messages', 'other')).toMatchObject({ status: 403 })
      expect(await read('/v1/channels/room:table-1/messages', 'other')).toMatchObject({ status: 200 })
    },
  },
  {
    page: LIVE,
    heading: 'Use tokens of your own',
    language: 'json',
    here: async (json) => {
      business.people.set('documented', json)
      const own = await read('/v1/channels/@user/messages', 'documented')
      expect(own).toMatchObject({ status: 200, body: { channel: `user:${JSON.parse(json).uid}` } })
    },
  },
]

/** A clone, as far as npm sees. Its programs are those of this repository, and its `.saoma` is its own. */
const createClone = async (): Promise<string> => {
  const clone = await mkdtemp(join(tmpdir(), 'saoma-clone-'))
  onCleanup(() => rm(clone, { recursive: true, force: true }))
  for (const name of ['apps', 'packages', 'nginx', 'node_modules']) await symlink(join(root, name), join(clone, name))
  for (const name of ['package.json', 'package-lock.json']) await cp(join(root, name), join(clone, name))
  await mkdir(join(clone, 'scripts'))
  await cp(join(root, 'scripts/bootstrap.mjs'), join(clone, 'scripts/bootstrap.mjs'))
  return clone
}

const startBusiness = async (): Promise<typeof business> => {
  const people = new Map<string, string>()
  const server = createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += chunk
    const person = people.get(JSON.parse(text).token)
    res.writeHead(person ? 200 : 401, { 'content-type': 'application/json' }).end(person ?? '{}')
  }).listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, people }
}

const isOpen = () =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true))
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
  })

/** Runs a command that starts a cluster in place of the one that runs. */
const startAnew = async (command: string): Promise<void> => {
  await cluster?.stop()
  await until(isOpen, (open) => !open)
  cluster = await startProcess({
    name: command,
    command: 'bash',
    args: ['--norc', '-c', command.replace('npm start', `exec npm start -- --port ${port}`)],
    cwd: folder,
    env: { ...plainEnv(), SAOMA_AUTH_URL: business.url },
    ready: ({ text }) => text.includes('Ctrl-C ends everything'),
    readyTimeoutMs: 90_000,
    stopTimeoutMs: 40_000,
  })
}

/** What the reader puts in: the cluster's address, and the person who is logged in. */
const own = async (code: string): Promise<string> => {
  const text = PRINTED.reduce((all, printed) => all.replaceAll(printed, origin), code)
  return text.includes('7Hq…') ? text.replaceAll('7Hq…', (await webToken(origin, 'Li Lei')).user) : text
}

const runBlock = async ({ language, code }: PageBlock): Promise<string> => {
  if (language !== 'sh') return code
  if (code.includes('npm start')) await startAnew(code.trim())
  // A setting, as it stands before the command that starts the cluster.
  else if (/^SAOMA_\w+='[^']*'\n$/.test(code)) await startAnew(`${code.trim()} npm start`)
  else return runShell(await own(code), { cwd: folder, env: variables })
  return ''
}

const blocksOf = (page: string) => pageBlocks(page).map((block) => ({ page, ...block }))
const nameOf = ({ page, heading, language }: Entry): string => `${page}, ${heading}: ${language || 'no language'}`

const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')

test('every block of the pages is on the list, in their order', () => {
  expect(LIST.map(nameOf)).toEqual([START, LOGIN, LIVE].flatMap(blocksOf).map(nameOf))
  for (const entry of LIST) {
    const ways = [entry.here, entry.by, entry.why].filter((way) => way !== undefined)
    expect([nameOf(entry), ways.length]).toEqual([nameOf(entry), 1])
  }
  // Nor does a block hide in a list, or behind words after its language.
  for (const page of [START, LOGIN, LIVE]) {
    const fences = textOf(page).match(/^\s*(?:```|~~~)/gm) ?? []
    expect([page, fences.length]).toEqual([page, 2 * blocksOf(page).length])
  }
})

test('every test that is named is there, and takes its code from that heading', () => {
  for (const { page, heading, by } of LIST) {
    if (by === undefined) continue
    expect([by, existsSync(join(root, by))]).toEqual([by, true])
    // That of other languages finds its blocks by their language.
    const words = by === LANGUAGES ? [page] : [`'${heading}'`, `"${heading}"`]
    expect([by, heading, words.some((each) => textOf(by).includes(each))]).toEqual([by, heading, true])
  }
})

test(
  'the commands of the pages do what the pages say, one after the other',
  async () => {
    await ensurePrograms(['redis', 'nginx', 'curl'], () => {})
    await ensurePage(() => {})
    ;[folder, port, business] = await Promise.all([createClone(), freePort(), startBusiness()])
    origin = `http://127.0.0.1:${port}`
    const blocks = [START, LOGIN, LIVE].flatMap(blocksOf)
    for (const [i, { here }] of LIST.entries()) {
      const block = blocks[i]
      if (here && block) await here(await runBlock(block))
    }
    await cluster?.stop()
  },
  START_TIMEOUT_MS,
)

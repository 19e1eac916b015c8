import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type Answer,
  confirm,
  freePort,
  launchBrowser,
  onCleanup,
  type PageBlock,
  type Process,
  phoneToken,
  plainEnv,
  request,
  runShell,
  scan,
  startProcess,
  until,
  webToken,
} from '@saoma/testing'

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof launchBrowser>>['newPage']>>

/** Somebody who copies the commands of the pages, one after the other, into a terminal in a clone. */
export interface Reader {
  /** Variables that the reader has in the second terminal. */
  readonly variables: Record<string, string>
  /** How the business answers that a cluster asks about tokens of its own: the answer by token. */
  readonly people: Map<string, string>
  /** Runs a block. Resolves with what it printed; a block that is no command comes back as it is. */
  run(block: PageBlock): Promise<string>
  read(path: string, bearer: string): Promise<Answer<Record<string, unknown>>>
  /** Asks for a code as a page of that origin. */
  ask(page: string): Promise<Answer<unknown>>
  /** Opens the chat of the demo and logs in, as the page says: by hand on a phone. */
  openChat(): Promise<void>
  /** Resolves when the chat shows this text, and closes it. */
  closeChat(text: string): Promise<void>
  /** Ends the cluster that the last command has started. */
  end(): Promise<void>
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
/** Stand in the pages for the cluster. */
const PRINTED = ['http://127.0.0.1:8080', 'https://login.example.com']

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

/** Resolves with the address of the business. */
const startBusiness = async (people: ReadonlyMap<string, string>): Promise<string> => {
  const server = createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += chunk
    const person = people.get(JSON.parse(text).token)
    res.writeHead(person ? 200 : 401, { 'content-type': 'application/json' }).end(person ?? '{}')
  }).listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true))
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
  })

export const createReader = async (): Promise<Reader> => {
  const people = new Map<string, string>()
  const variables: Record<string, string> = {}
  const [folder, port, business] = await Promise.all([createClone(), freePort(), startBusiness(people)])
  const origin = `http://127.0.0.1:${port}`
  let cluster: Process | undefined
  let chat: Page | undefined

  /** Runs a command that starts a cluster in place of the one that runs. */
  const startAnew = async (command: string): Promise<void> => {
    await cluster?.stop()
    await until(
      () => isOpen(port),
      (open) => !open,
    )
    cluster = await startProcess({
      name: command,
      command: 'bash',
      args: ['--norc', '-c', command.replace('npm start', `exec npm start -- --port ${port}`)],
      cwd: folder,
      env: { ...plainEnv(), SAOMA_AUTH_URL: business },
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

  return {
    variables,
    people,
    run: async ({ language, code }) => {
      if (language !== 'sh') return code
      if (code.includes('npm start')) await startAnew(code.trim())
      // A setting, as it stands before the command that starts the cluster.
      else if (/^SAOMA_\w+='[^']*'\n$/.test(code)) await startAnew(`${code.trim()} npm start`)
      else return runShell(await own(code), { cwd: folder, env: variables })
      return ''
    },
    read: (path, bearer) => request(`${origin}${path}`, { bearer }),
    ask: (page) => request(`${origin}/oidc/device/auth`, { headers: { origin: page }, form: { client_id: 'web' } }),
    openChat: async () => {
      chat = await (await launchBrowser()).newPage()
      await chat.goto(`${origin}/chat.html`)
      await chat.locator('saoma-login img').waitFor()
      const ticket = await chat.evaluate<string>("document.querySelector('saoma-login').state.ticket")
      const phone = await phoneToken(origin, 'Li Lei')
      await scan(origin, ticket, phone)
      await confirm(origin, ticket, phone)
      await chat.locator('saoma-login').waitFor({ state: 'detached' })
      // It follows the room a moment after the login.
      await chat.getByRole('heading', { name: '1 person here' }).waitFor()
    },
    closeChat: async (text) => {
      if (!chat) throw new Error('no chat is open')
      await chat.getByText(text).waitFor()
      await chat.close()
    },
    end: async () => void (await cluster?.stop()),
  }
}

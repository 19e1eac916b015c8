import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createWalkthrough,
  ensurePrograms,
  onCleanup,
  type PageBlock,
  pageBlocks,
  runShell,
  startCluster,
  testApiKey,
  type Walkthrough,
} from '@saoma/testing'
import WebSocket from 'ws'

/* The walk of docs/walk.md: its requests are sent, and its answers are those that come. */

const PAGE = 'docs/walk.md'
/** What the page is written for, as of `npm start`. */
const PRINTED_HOST = '127.0.0.1:8080'
const WAIT_MS = 20_000

const repository = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')

/** The names in the sentence of the page that lists them. */
const varyingOf = async (): Promise<string[]> => {
  const [, list = ''] = /members whose values vary:\s+(.*?)\.\n/s.exec(await repository(PAGE)) ?? []
  return [...list.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
}

/** A folder with the API key where `npm start` has it. */
const folderWithKey = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-walk-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, '.saoma'))
  await writeFile(join(folder, '.saoma/api-key'), `${testApiKey}\n`)
  return folder
}

/** The packet of a frame (`42/login,0`), and its JSON. */
const partsOf = (frame: string): { packet: string; body: unknown } => {
  const [, packet = '', body = ''] = /^(\d+(?:\/\w+,)?\d*)(.*)$/s.exec(frame) ?? []
  return { packet, body: body === '' ? undefined : JSON.parse(body) }
}

/** A client that shows frames. It answers pings by itself. */
const openFrames = async (url: string) => {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  onCleanup(() => socket.terminate())
  const arrived: string[] = []
  socket.on('message', (data) => {
    if (String(data) === '2') return socket.send('3')
    arrived.push(String(data))
    socket.emit('frame')
  })
  await once(socket, 'open')
  return {
    send: (frame: string) => socket.send(frame),
    next: async (): Promise<string> => {
      while (arrived.length === 0) await once(socket, 'frame', { signal: AbortSignal.timeout(WAIT_MS) })
      return arrived.shift() ?? ''
    },
    /** Resolves when the other side has closed, with the frames that nobody has read. */
    closed: async () => {
      const signal = AbortSignal.timeout(WAIT_MS)
      if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close', { signal })
      return arrived
    },
    close: async () => {
      socket.close()
      await once(socket, 'close')
      return arrived
    },
  }
}
type Frames = Awaited<ReturnType<typeof openFrames>>

/** Goes through a block of frames on the present socket, or on the one that the block opens. */
const walkFrames = async (code: string, walk: Walkthrough, present?: Frames): Promise<Frames | undefined> => {
  let socket = present
  for (const line of code.trimEnd().split('\n')) {
    const [, sign = '', text = ''] = /^(\S+) ?(.*)$/.exec(line) ?? []
    if (sign === 'connect') socket = await openFrames(walk.fill(text))
    else if (!socket) throw new Error(`no socket is open at ${line}`)
    else if (sign === '>') socket.send(walk.fill(text))
    else if (sign === '<') {
      const [printed, got] = [text, await socket.next()].map(partsOf)
      expect(got?.packet).toBe(printed?.packet)
      walk.expect(printed?.body, got?.body)
    } else if (sign === 'close') {
      // Whatever is left would be a frame that the page does not show.
      expect(await socket.close()).toEqual([])
      socket = undefined
    } else throw new Error(`${PAGE} has a line that is no frame: ${line}`)
  }
  return socket
}

const readBlocks = (): PageBlock[] => {
  const blocks = pageBlocks(PAGE)
  for (const { language, heading } of blocks)
    if (!['sh', 'json', 'text'].includes(language)) throw new Error(`a block of another kind under ${heading}`)
  return blocks
}

test('the walk from a code to a message gets the answers that are printed', async () => {
  await ensurePrograms(['curl'], () => {})
  const { origin } = await startCluster({ env: { SAOMA_CHANNELS: await repository('apps/shop/channels.json') } })
  const walk = createWalkthrough(await varyingOf())
  walk.bind(PRINTED_HOST, new URL(origin).host)
  const cwd = await folderWithKey()

  const blocks = readBlocks()
  let [socket, answer, compared]: [Frames | undefined, string, number] = [undefined, '', 0]
  for (const { language, code } of blocks) {
    if (language === 'sh') answer = await runShell(walk.fill(code), { cwd })
    else if (language === 'text') socket = await walkFrames(code, walk, socket)
    else {
      walk.expect(JSON.parse(code), JSON.parse(answer))
      compared++
    }
  }
  // The session is over: the socket that was told is closed, and nothing came after that.
  expect(await socket?.closed()).toEqual([])
  // A code, its picture, a phone's token, scan, confirm, tokens, new tokens, and three of messages.
  expect(compared).toBe(10)
})

test('the walk names in words what its sentence of members allows to differ', async () => {
  const varying = await varyingOf()
  const printed = readBlocks()
    .filter(({ language }) => language !== 'sh')
    .map(({ code }) => code)
    .join('\n')
  expect(varying.length).toBeGreaterThan(5)
  expect(varying.filter((name) => !printed.includes(`"${name}"`))).toEqual([])
})

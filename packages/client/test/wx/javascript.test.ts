import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, createWx, phoneToken, startCluster, webToken } from '@saoma/testing'
import { openBrowser } from '../browser.ts'
import { build } from '../build.ts'
import { approve } from '../login-contract.ts'
import { listen, openLive, publishNumbers, upTo } from '../visitor.ts'
import { openWechatJavascript, type Sdk } from './wechat-javascript.ts'

/** A page of a mini-program as its build makes it: one file, nothing loaded later. */
const entry = `
  import '@saoma/client/wx/globals'
  export * from '@saoma/client'
  export * from '@saoma/client/wx'
`

const buildPage = async (): Promise<string> => {
  const out = await build(entry, (page) => ({
    define: { self: 'globalThis' },
    build: {
      target: 'es2018',
      lib: { entry: page, formats: ['cjs'], fileName: () => 'page.js' },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  }))
  return readFile(join(out, 'page.js'), 'utf8')
}

const run = (code: string, besides?: object): { sdk: Sdk; globals: object } => {
  const { run: runFile, globals } = openWechatJavascript(besides)
  return { sdk: runFile(code) as Sdk, globals }
}

let cluster: Cluster
let code: string

beforeAll(async () => {
  ;[cluster, code] = await Promise.all([startCluster({ nodes: 1 }), buildPage()])
})

/** What a page of the mini-program has from its phone. */
const surroundings = ({ createWxTransport, createWxFetch, createWxPage, createWxStorage }: Sdk) => {
  const { wx, now } = createWx()
  return {
    origin: cluster.origin,
    transports: [createWxTransport(wx, { now })],
    fetch: createWxFetch(wx),
    page: createWxPage(wx),
    storage: createWxStorage(wx),
  }
}

test("in WeChat's JavaScript a room is followed by socket and published to", async () => {
  const { sdk } = run(code)
  const { access_token: token } = await webToken(cluster.origin, 'Li Lei')
  const { live, at } = openLive({ ...surroundings(sdk), token: () => token }, sdk.createLive)
  const room = listen(live.channel('room:open-javascript'))
  await at('socket')
  await room.at('live')
  await publishNumbers(cluster.origin, 'room:open-javascript', 1, 3)
  expect(await room.room.publish('number', 4)).toMatchObject({ ok: true, value: { offset: 4 } })
  await room.until(4)
  expect(room.numbers).toEqual(upTo(4))
})

test("in WeChat's JavaScript a login is watched by socket until it ends", async () => {
  const { sdk } = run(code)
  const browser = openBrowser(surroundings(sdk), sdk.createLogin)
  browser.login.start()
  const { ticket } = await browser.at('waiting')
  await browser.connectedBy('socket')
  const done = browser.next('done')
  await approve(cluster, ticket, await phoneToken(cluster.origin, '韩梅梅'))
  expect(sdk.decodeClaims((await done).tokens.id_token)).toMatchObject({ name: '韩梅梅' })
})

test('missing functions are added, and existing ones are left alone', () => {
  const names = ['AbortController', 'AbortSignal', 'URLSearchParams', 'DOMException', 'queueMicrotask', 'atob', 'btoa']
  const missing = (globals: object) => names.filter((name) => !Reflect.has(globals, name))
  expect(missing(run('').globals)).toEqual(names)
  const { globals } = run(code, { AbortController, AbortSignal })
  expect(missing(globals)).toEqual([])
  expect(globals).toMatchObject({ AbortController, AbortSignal })
})

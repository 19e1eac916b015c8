import { randomUUID } from 'node:crypto'
import { cp, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Cluster, createWx, startCluster, webToken } from '@saoma/testing'
import { type Consumer, createConsumer, pack } from './consumer.ts'
import { listen, openLive, publishNumbers, upTo } from './visitor.ts'
import { frameworks, places, runPage, settingsOf } from './wx/frameworks.ts'
import { openWechatJavascript, type Sdk } from './wx/wechat-javascript.ts'

/* The packed packages in mini-programs: as WeChat's developer tools take them, in Taro and in uni-app. */

let cluster: Cluster
let consumer: Consumer

beforeAll(async () => {
  ;[cluster, consumer] = await Promise.all([
    startCluster({ nodes: 1 }),
    pack().then((files) =>
      createConsumer(
        files.filter((file) => /\/saoma-(client|protocol)-\d/.test(file)),
        ['vite@8'],
      ),
    ),
  ])
}, 240_000)

test('in WeChat’s JavaScript the folder for mini-programs follows a room, with nothing beside it', async () => {
  // What "Build npm" of the developer tools makes of the package.
  const copy = join(consumer.folder, 'miniprogram_npm/@saoma/client')
  await cp(join(consumer.folder, 'node_modules/@saoma/client/miniprogram'), copy, { recursive: true })
  const files = await readdir(copy, { recursive: true, withFileTypes: true })
  const texts = new Map<string, string>()
  for (const file of files.filter((each) => each.isFile())) {
    const path = join(file.parentPath, file.name)
    texts.set(path, await readFile(path, 'utf8'))
  }
  const { run } = openWechatJavascript()
  const loaded = new Map<string, object>()
  const load = (path: string): object => {
    const known = loaded.get(path)
    if (known) return known
    const text = texts.get(path)
    if (text === undefined) throw new Error(`a mini-program has no ${path}`)
    const exports = run(text, (name) => load(join(dirname(path), name)))
    loaded.set(path, exports)
    return exports
  }
  load(join(copy, 'wx/globals.js'))
  const { createLive, createWxFetch, createWxPage, createWxStorage, createWxTransport } = {
    ...load(join(copy, 'index.js')),
    ...load(join(copy, 'wx.js')),
  } as Sdk

  const { wx, now } = createWx()
  const { access_token: token } = await webToken(cluster.origin, 'Li Lei')
  const parts = {
    transports: [createWxTransport(wx, { now })],
    fetch: createWxFetch(wx),
    page: createWxPage(wx),
    storage: createWxStorage(wx),
  }
  const { live, at } = openLive({ origin: cluster.origin, ...parts, token: () => token }, createLive)
  const room = listen(live.channel('room:open-installed'))
  await at('socket')
  await room.at('live')
  await publishNumbers(cluster.origin, 'room:open-installed', 1, 3)
  await room.until(3)
  expect(room.numbers).toEqual(upTo(3))
})

test.each(frameworks)('in %s the packed package follows a room', async (_, page) => {
  await consumer.write(
    'framework.js',
    `import '@saoma/client/wx/globals'
     ${page}
     export { createLive } from '@saoma/client'
     export { createWxFetch, createWxPage, createWxTransport } from '@saoma/client/wx'`,
  )
  const { build, define } = settingsOf('framework.js')
  const config = { define, resolve: { alias: places }, logLevel: 'warn', configFile: false }
  const lib = { entry: 'framework.js', formats: ['cjs'] }
  await consumer.write(
    'build.mjs',
    `import { build } from 'vite'
     const config = ${JSON.stringify({ ...config, build: { ...build, lib, outDir: 'framework', emptyOutDir: true } })}
     config.build.lib.fileName = () => 'page.js'
     // One file, because this phone requires no other.
     config.build.rolldownOptions = { output: { codeSplitting: false, exports: 'named' } }
     await build(config)`,
  )
  await consumer.run(process.execPath, 'build.mjs')
  const text = await readFile(join(consumer.folder, 'framework/page.js'), 'utf8')
  const { wx: own, now } = createWx()
  const sdk = runPage<Sdk>(text, own)
  const { access_token: token } = await webToken(cluster.origin, 'Li Lei')
  const parts = {
    transports: [sdk.createWxTransport(sdk.default, { now })],
    fetch: sdk.createWxFetch(sdk.default),
    page: sdk.createWxPage(sdk.default),
  }
  const { live, at } = openLive({ origin: cluster.origin, ...parts, token: () => token }, sdk.createLive)
  const name = `room:open-installed-${randomUUID().slice(0, 8)}`
  const room = listen(live.channel(name))
  await at('socket')
  await room.at('live')
  await publishNumbers(cluster.origin, name, 1, 3)
  await room.until(3)
  expect(room.numbers).toEqual(upTo(3))
})

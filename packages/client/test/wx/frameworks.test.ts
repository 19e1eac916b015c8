import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, createWx, startCluster } from '@saoma/testing'
import { createWxFetch, createWxPage, createWxTransport, type Wx } from '../../src/wx/index.ts'
import { build } from '../build.ts'
import type { Environment } from '../environment.ts'
import { liveContract, liveRules } from '../live-contract.ts'

/*
 * Frameworks give an object of their own for `wx`, with promises in it. These are made by their own packages,
 * as their builds make them.
 */

/** What Taro's build decides for a runtime. */
const taroSettings = ['INNER_HTML', 'ADJACENT_HTML', 'CLONE_NODE', 'CONTAINS', 'SIZE_APIS', 'TEMPLATE_CONTENT']

const taro = `
  import { processApis } from '@tarojs/shared'
  import api from '@tarojs/api'
  globalThis.getCurrentPages ??= () => []
  globalThis.getApp ??= () => ({})
  const Taro = Object.assign(Object.create(api), { options: {} })
  // All that the plugin of WeChat's platform does for these functions.
  processApis(Taro, wx, {})
  export default Taro
`

const uni = `export { default } from '@dcloudio/uni-mp-weixin/dist/uni.api.esm.js'`

/** The framework's object for a phone's `wx`. */
type Framework = (wx: object) => Wx

const make = async (code: string): Promise<Framework> => {
  const define = Object.fromEntries(taroSettings.map((name) => [`ENABLE_${name}`, 'true']))
  const out = await build(code, (entry) => ({
    define: { ...define, ENABLE_MUTATION_OBSERVER: 'true' },
    build: { target: 'es2022', lib: { entry, formats: ['cjs'], fileName: () => 'page.js' } },
  }))
  const text = await readFile(join(out, 'page.js'), 'utf8')
  const run = new Function('wx', 'module', 'exports', text)
  return (wx) => {
    const module = { exports: {} as { default?: Wx } }
    run(wx, module, module.exports)
    return module.exports.default ?? (module.exports as Wx)
  }
}

describe.each([
  ['Taro 4', taro],
  ['uni-app', uni],
])('in %s', (_, code) => {
  let cluster: Cluster
  let framework: Framework

  beforeAll(async () => {
    const env = { SAOMA_CHANNELS: JSON.stringify(liveRules) }
    ;[cluster, framework] = await Promise.all([startCluster({ nodes: 2, env }), make(code)])
  })

  const environment: Environment = {
    doors: ['socket', 'poll'],
    surroundings: () => {
      const { wx: own, now } = createWx()
      const wx = framework(own)
      return { transports: [createWxTransport(wx, { now })], fetch: createWxFetch(wx), page: createWxPage(wx) }
    },
  }
  liveContract(environment, () => cluster)

  test('a failed or aborted request rejects and leaves no unhandled rejection', async () => {
    const { wx } = createWx()
    const fetch = createWxFetch(framework(wx))
    const unhandled: unknown[] = []
    const hear = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', hear)
    await expect(fetch('http://127.0.0.1:9/')).rejects.toBeInstanceOf(TypeError)
    const stopped = new AbortController()
    const asked = fetch(`${cluster.origin}/oidc/jwks`, { signal: stopped.signal })
    stopped.abort()
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
    // Rejections that nobody took are told after the tasks of now.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', hear)
    expect(unhandled).toEqual([])
  })
})

import { join } from 'node:path'
import type { Wx } from '../../src/wx/index.ts'
import { root } from '../build.ts'

/*
 * Frameworks give an object of their own for `wx`, with promises in it. These are made by their own packages,
 * as their builds make them.
 */

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

/** Names, and pages whose default export is the framework's object for the parameter `wx`. */
export const frameworks: readonly (readonly [name: string, page: string])[] = [
  ['Taro 4', taro],
  ['uni-app', uni],
]

/** What Taro's build decides for a runtime. */
const taroSettings = ['INNER_HTML', 'ADJACENT_HTML', 'CLONE_NODE', 'CONTAINS', 'SIZE_APIS', 'TEMPLATE_CONTENT']

/** Settings of Vite for such a page: one file of CommonJS. */
export const settingsOf = (entry: string) => ({
  define: {
    ...Object.fromEntries(taroSettings.map((name) => [`ENABLE_${name}`, 'true'])),
    ENABLE_MUTATION_OBSERVER: 'true',
  },
  build: { target: 'es2022', lib: { entry, formats: ['cjs'], fileName: () => 'page.js' } },
})

/** Where the packages of the frameworks are. */
export const places: Readonly<Record<string, string>> = Object.fromEntries(
  ['@tarojs', '@dcloudio', '@vue'].map((scope) => [scope, join(root, 'node_modules', scope)]),
)

/** What a built page exports, on a phone of its own. */
export const runPage = <T>(text: string, wx: object): T & { default: Wx } => {
  const module = { exports: {} as { default?: Wx } }
  new Function('wx', 'module', 'exports', text)(wx, module, module.exports)
  const { exports } = module
  return { ...exports, default: exports.default ?? (exports as Wx) } as T & { default: Wx }
}

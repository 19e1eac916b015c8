import { createContext, Script } from 'node:vm'

export type Sdk = typeof import('../../src/index.ts') & typeof import('../../src/wx/index.ts')

/**
 * Names that WeChat gives to each file as parameters without a value, so that the globals of that name are
 * out of its reach.
 */
const shadowed = `window, document, frames, self, location, navigator, localStorage, history, Caches, screen, alert, confirm, prompt,
  fetch, XMLHttpRequest, WebSocket, webkit, WeixinJSCore, Reporter, print, URL`

/** Runs a file of CommonJS. Returns its exports. */
export type RunFile = (code: string, require?: (name: string) => unknown) => object

/** A place where there is ECMAScript, timers and nothing else, and where text is not made into code. */
export const openWechatJavascript = (besides: object = {}): { run: RunFile; globals: object } => {
  const timers = {
    // WeChat ends them with the mini-program, and this process must not wait for them.
    setTimeout: (work: () => void, ms: number) => setTimeout(work, ms).unref(),
    setInterval: (work: () => void, ms: number) => setInterval(work, ms).unref(),
    clearTimeout,
    clearInterval,
  }
  const context = createContext({ ...timers, console, ...besides }, { codeGeneration: { strings: false, wasm: false } })
  return {
    globals: context,
    run: (code, require) => {
      const define = new Script(`(function (require, module, exports, ${shadowed}) {${code}\n})`).runInContext(context)
      const module = { exports: {} }
      define(require, module, module.exports)
      return module.exports
    },
  }
}

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createText } from '../../src/logic/text.ts'

const BUILD_TIMEOUT_MS = 60_000
const ZH = 'zh_CN'

/**
 * What the simulator of WeChat's components gives. Its own types declare WeChat's globals, which are not
 * Node's.
 */
interface Rendered {
  readonly dom: HTMLElement
  readonly data: object
  readonly instance: { onLoad?(query: object): void; triggerEvent(name: string, detail: object): void }
  querySelector(selector: string): Rendered | undefined
  querySelectorAll(selector: string): Rendered[]
  dispatchEvent(name: string): void
  triggerPageLifeTime(name: 'show' | 'hide'): void
  attach(parent: Element): void
  detach(): void
}
interface Simulator {
  load(path: string, tag: string, options: { rootPath: string }): string
}
interface Renderer {
  create(id: string): Rendered
}

/** What was called, in order: a name and the arguments. */
export type Calls = unknown[][]

export type PartName = 'login' | 'devices' | 'activity' | 'messages' | 'table'

/** What a person can ask of each part of the program. */
const methods: Record<PartName, readonly string[]> = {
  login: [
    'open',
    'ask',
    'findUserCode',
    'openRequest',
    'report',
    'agree',
    'giveCheck',
    'giveNumber',
    'skipNumber',
    'confirm',
    'decline',
    'retry',
    'close',
  ],
  devices: ['refresh', 'end', 'report', 'endAll', 'close'],
  activity: ['refresh', 'readMore', 'report', 'close'],
  messages: ['markRead', 'reconnect', 'close'],
  table: ['edit', 'resolve', 'retry', 'close'],
}

export interface OpenOptions<Screen> {
  screen: Screen
  /** As WeChat would give it to the page. @default {} */
  query?: object
  /** WeChat's number for the way in. @default 1047, a scan */
  launchScene?: number
  /** As WeChat names it. @default zh_CN */
  language?: string
}

/** A page on show, over a part of the program that shows what it is told to and notes what is asked of it. */
export interface Shown<Screen> {
  readonly calls: Calls
  readonly dom: HTMLElement
  readonly rendered: Rendered
  /** What there is to read, with spaces made one. */
  text(selector?: string): string
  /** How often there is such an element on the page. */
  count(selector: string): number
  /** Another screen, as the program would show it. */
  show(screen: Screen): void
  /** A finger on a button of the library. */
  tap(selector: string): Promise<void>
  /** A finger on a row of the library. */
  touch(selector: string): Promise<void>
  /** What a component of the library tells the page. */
  send(selector: string, event: string, detail: object): void
  close(): void
}

/** Builds the mini-program by its own command, into a folder that goes with the test file. */
export const buildPackage = (env: Record<string, string> = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-miniprogram-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const script = fileURLToPath(new URL('../../build.ts', import.meta.url))
  const out = join(folder, 'dist')
  execFileSync(process.execPath, [script, '--out', out], {
    env: { PATH: process.env.PATH, ...env },
    timeout: BUILD_TIMEOUT_MS,
  })
  return out
}

/** The part of `wx` that pages use themselves. Each call is noted. */
const createWx = (calls: Calls, options: { launchScene: number; language: string }): object => {
  const noted = [
    'setNavigationBarTitle',
    'setTabBarItem',
    'setTabBarBadge',
    'removeTabBarBadge',
    'switchTab',
    'navigateTo',
  ]
  const note = (name: string) => [name, (argument: unknown) => void calls.push([`wx.${name}`, argument])]
  const { launchScene: scene, language } = options
  const appBase = { language, SDKVersion: '3.8.10' }
  return {
    ...Object.fromEntries([...noted, 'stopPullDownRefresh'].map(note)),
    getEnterOptionsSync: () => ({ scene }),
    getAppBaseInfo: () => appBase,
    getSystemInfoSync: () => ({ ...appBase, windowWidth: 390 }),
    getWindowInfo: () => ({ windowWidth: 390 }),
  }
}

// An exception in a component, of ours or of the library, is only printed by the simulator.
const printed: unknown[] = []
console.error = (...what) => void printed.push(...what)
afterEach(() => expect(printed.splice(0)).toEqual([]))

/** What the simulator dispatches comes in a later microtask. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await undefined
}

/**
 * Loads a page of the built package, once in a test file. The function that is given opens it.
 *
 * @param path  of the page, as app.json has it
 */
export const loadPage = <Screen>(folder: string, path: string, part: PartName) => {
  Object.assign(globalThis, { wx: createWx([], { launchScene: 1047, language: ZH }), getApp: () => ({}) })
  const require = createRequire(import.meta.url)
  const simulator: Simulator = require('miniprogram-simulate')
  // Beneath the simulator, without the styles: a DOM that draws nothing would parse them for each page anew.
  const renderer: Renderer = require('j-component')
  // What the library needs, for nothing in particular; the simulator has put it into ours.
  const { wx: simulated } = globalThis as unknown as { wx: object }
  const id = simulator.load(join(folder, path), 'page', { rootPath: folder })

  return ({ screen, query = {}, launchScene = 1047, language = ZH }: OpenOptions<Screen>): Shown<Screen> => {
    const calls: Calls = []
    let now = screen
    let changed = () => {}
    const note = (name: string) => [name, async (...values: unknown[]) => void calls.push([name, ...values])]
    const open = (...given: unknown[]) => {
      changed = given.at(-1) as () => void
      if (given.length > 1) calls.push([part, given[0]])
      const asked = Object.fromEntries(methods[part].map(note))
      return Object.defineProperty(asked, 'screen', { get: () => now })
    }
    const program = { text: createText(language), [part]: open }
    Object.assign(globalThis, {
      wx: { ...simulated, ...createWx(calls, { launchScene, language }) },
      getApp: () => ({ globalData: { program } }),
    })

    const rendered = renderer.create(id)
    const host = document.createElement('div')
    document.body.append(host)
    rendered.attach(host)
    rendered.instance.onLoad?.(query)
    rendered.triggerPageLifeTime('show')

    const one = (selector: string): Rendered => {
      const found = rendered.querySelector(selector)
      if (!found) throw new Error(`There is no ${selector} on ${path}: ${host.textContent}`)
      return found
    }
    return {
      calls,
      dom: host,
      rendered,
      text: (selector) => ((selector ? one(selector).dom : host).textContent ?? '').replace(/\s+/g, ' ').trim(),
      count: (selector) => rendered.querySelectorAll(selector).length,
      show: (screen) => {
        now = screen
        changed()
      },
      tap: async (selector) => {
        const button = one(selector).querySelector('.t-button')
        if (!button) throw new Error(`${selector} is no button`)
        button.dispatchEvent('tap')
        await settled()
      },
      touch: async (selector) => {
        one(selector).querySelector('.t-cell')?.dispatchEvent('tap')
        await settled()
      },
      send: (selector, event, detail) => one(selector).instance.triggerEvent(event, detail),
      close: () => {
        rendered.detach()
        host.remove()
      },
    }
  }
}

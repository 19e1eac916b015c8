import type { Browser, BrowserContext, Page, WebSocket } from 'playwright-core'

/** What a page of components shows. Nothing is shown without its member. */
export interface Plan {
  /** The documented `Account`: the login, or who is logged in. */
  account?: boolean
  /** A documented `Table` for each name. The same place keeps its component when its name changes. */
  tables?: readonly string[]
  /** The documented `Bell`. What it hears is pushed to `globalThis.news`. */
  bell?: boolean
  /** The login without the account. What it tells is pushed to `globalThis.told`. */
  login?: boolean
}

/** What a page of components gives to its test, as members of `globalThis`. */
export interface PlanPage {
  show(plan: Plan): void
  /** How many effects ran of a component that is shown once. */
  effects: number
  news: unknown[]
  told: string[]
}

/** A browser's page of components. */
export interface ComponentPage {
  page: Page
  show(plan: Plan): Promise<void>
  /** A member of `globalThis`. */
  read<K extends 'effects' | 'news' | 'told'>(member: K): Promise<PlanPage[K]>
  /** How many WebSockets are open. */
  sockets(): Promise<number>
  /** How many timers run. */
  timers(): Promise<number>
  /** How many messages with this event and this channel went to the server by WebSocket. */
  sent(event: string, channel: string): number
}

/** Tokens as a login would have left them for the page. */
export type Stored = NonNullable<Parameters<Browser['newContext']>[0]>['storageState']

/** Runs in the page, before its own scripts. */
const countTimers = () => {
  const running = new Set<unknown>()
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis
  type Act = (...given: unknown[]) => void
  Object.assign(globalThis, {
    runningTimers: running,
    setTimeout: (act: Act, ms?: number, ...given: unknown[]) => {
      const id = setTimeout(() => {
        running.delete(id)
        act(...given)
      }, ms)
      running.add(id)
      return id
    },
    setInterval: (act: Act, ms?: number, ...given: unknown[]) => {
      const id = setInterval(() => act(...given), ms)
      running.add(id)
      return id
    },
    clearTimeout: (id: ReturnType<typeof setTimeout>) => {
      running.delete(id)
      clearTimeout(id)
    },
    clearInterval: (id: ReturnType<typeof setInterval>) => {
      running.delete(id)
      clearInterval(id)
    },
  })
}

/** The browser itself tells of requests that were refused on purpose, and of sockets closed early. */
const isOfTheNetwork = (text: string): boolean => /WebSocket|Failed to load resource|ERR_/.test(text)

export interface ComponentPages {
  /** Opens an address in a browser of its own. */
  open(url: string, stored?: Stored, prepare?: (page: Page) => Promise<unknown>): Promise<ComponentPage>
  /** Closes all pages. Resolves with their complaints: exceptions, errors and warnings of frameworks. */
  close(): Promise<string[]>
}

export const createComponentPages = (browser: Browser): ComponentPages => {
  const contexts = new Set<BrowserContext>()
  const complaints: string[] = []

  return {
    open: async (url, stored, prepare) => {
      const context = await browser.newContext({ locale: 'en-US', ...(stored ? { storageState: stored } : {}) })
      contexts.add(context)
      await context.addInitScript(countTimers)
      const page = await context.newPage()
      const sockets: WebSocket[] = []
      const frames: string[] = []
      page.on('websocket', (socket) => {
        sockets.push(socket)
        socket.on('framesent', ({ payload }) => frames.push(`${payload}`))
      })
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('console', (line) => {
        const text = line.text()
        const isWrong = line.type() === 'error' || text.startsWith('[Vue warn]')
        if (isWrong && !isOfTheNetwork(text)) complaints.push(text)
      })
      await prepare?.(page)
      await page.goto(url)
      return {
        page,
        show: (plan) => page.evaluate<void>(`show(${JSON.stringify(plan)})`),
        read: <K extends keyof PlanPage>(member: K) => page.evaluate<PlanPage[K]>(member),
        sockets: async () => sockets.filter((socket) => !socket.isClosed()).length,
        timers: () =>
          page.evaluate(() => (globalThis as unknown as { runningTimers: Set<unknown> }).runningTimers.size),
        sent: (event, channel) =>
          frames.filter((frame) => frame.includes(`"${event}"`) && frame.includes(`"${channel}"`)).length,
      }
    },
    close: async () => {
      await Promise.all([...contexts].map((context) => context.close()))
      contexts.clear()
      return complaints.splice(0)
    },
  }
}

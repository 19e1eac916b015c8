import {
  type Cluster,
  confirm,
  ensurePage,
  launchBrowser,
  pageFolder,
  phoneToken,
  scan,
  startCluster,
} from '@saoma/testing'
import { type Browser, createScreens, type Device, desktop, type Page, type Preparation, ticketOn } from './people.ts'

type Options = NonNullable<Parameters<typeof startCluster>[0]>

/**
 * Our own pages, served by two nodes for the tests of one file. After each test everybody leaves, and no page
 * may have complained: of an exception, or of its own security policy.
 */
export const createStage = ({ env, ...options }: Options = {}) => {
  let cluster: Cluster
  let browser: Browser
  const screens = createScreens(() => cluster.origin)

  beforeAll(async () => {
    await ensurePage(() => {})
    cluster = await startCluster({ nodes: 2, ...options, env: { ...env, SAOMA_WEB_ROOT: pageFolder } })
    browser = await launchBrowser()
  }, 90_000)

  afterEach(async () => expect(await screens.leave()).toEqual([]))

  let turn = 0
  const stage = {
    get cluster(): Cluster {
      return cluster
    },
    get origin(): string {
      return cluster.origin
    },
    /** The origin of a node, each time of another one. */
    node: (): string => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? '',
    /** Somebody opens a page on a machine that knows nothing. */
    open: (path = '/', device: Device = desktop, prepare?: Preparation): Promise<Page> =>
      screens.open(browser, path, device, prepare),
    /** Somebody scans the code of the page and says yes. Resolves with what the phone was shown. */
    approve: async (page: Page, name: string) => stage.approveTicket(await ticketOn(page), name),
    approveTicket: async (ticket: string, name: string) => {
      const token = await phoneToken(cluster.origin, name)
      const scanned = await scan(stage.node(), ticket, token)
      expect([scanned.status, (await confirm(stage.node(), ticket, token)).status]).toEqual([200, 200])
      return scanned.body
    },
  }
  return stage
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** A Markdown file of the repository that is a page of the site. */
export interface Page {
  /** Relative to the root of the repository. */
  file: string
  /** Its path in the site, without an ending: `login` is /login. */
  address: string
  /** What the sidebar calls it. */
  title: string
  titleZh: string
  /**
   * The file in Chinese, relative to the root. Its address begins with `zh/`. Pages without one are only in
   * English.
   */
  fileZh?: string
}

/** A heading of the sidebar, with the pages below it. */
export interface Group {
  title: string
  titleZh: string
  pages: readonly Page[]
}

const both = (file: string, address: string, title: string, titleZh: string): Page => ({
  file,
  address,
  title,
  titleZh,
  fileZh: `docs/zh/${address}.md`,
})
const english = (file: string, address: string, title: string, titleZh: string): Page => ({
  file,
  address,
  title,
  titleZh,
})

/** The two pages that the site alone has, beside the generated ones. */
export const home: Page = {
  file: 'apps/docs/pages/index.md',
  address: 'index',
  title: 'Saoma',
  titleZh: 'Saoma 扫码',
  fileZh: 'apps/docs/pages/zh/index.md',
}
export const apiIndex: Page = {
  file: 'apps/docs/pages/api.md',
  address: 'api/index',
  title: 'Overview',
  titleZh: '概览',
  fileZh: 'apps/docs/pages/zh/api.md',
}

/** Every other page, in the order of the sidebar. */
export const groups: readonly Group[] = [
  {
    title: 'Use it',
    titleZh: '使用',
    pages: [
      both('docs/start.md', 'start', 'Start', '开始'),
      both('docs/login.md', 'login', 'Login on your page', '在网页上登录'),
      both('docs/live.md', 'live', 'Live channels', '实时频道'),
      both('docs/wechat.md', 'wechat', 'WeChat', '微信'),
      both('docs/applications.md', 'applications', 'Applications', '应用'),
      both('docs/own-app.md', 'own-app', 'Your own app', '你自己的 App'),
      english('apps/miniprogram/README.md', 'mini-program', 'The mini-program', '小程序'),
    ],
  },
  {
    title: 'Operate it',
    titleZh: '运维',
    pages: [
      both('docs/operate.md', 'operate', 'Operate', '运维集群'),
      both('docs/front.md', 'front', 'TLS in front', '前置 TLS'),
      english('k8s/README.md', 'kubernetes', 'Kubernetes', 'Kubernetes'),
      both('docs/sizing.md', 'sizing', 'Sizing', '容量'),
      english('apps/loadtest/README.md', 'load-test', 'Load test and benchmarks', '压力测试与基准'),
      both('docs/troubleshooting.md', 'troubleshooting', 'Troubleshooting', '排错'),
    ],
  },
  {
    title: 'The wire',
    titleZh: '协议',
    pages: [
      both('PROTOCOL.md', 'protocol', 'Protocol', '协议'),
      both('docs/walk.md', 'walk', 'From code to message', '从扫码到消息'),
    ],
  },
  {
    title: 'How it is built',
    titleZh: '内部结构',
    pages: [
      both('ARCHITECTURE.md', 'architecture', 'Architecture', '架构'),
      both('SECURITY.md', 'security', 'Security', '安全'),
      both('docs/conformance.md', 'conformance', 'Conformance', '一致性'),
      english('packages/tickets/SPEC.md', 'rules/tickets', 'Rules of tickets', '票据的规则'),
      english('packages/channels/SPEC.md', 'rules/channels', 'Rules of channels', '频道的规则'),
      english('packages/accounts/SPEC.md', 'rules/accounts', 'Rules of accounts', '账号的规则'),
      english('packages/audit/SPEC.md', 'rules/audit', 'Rules of the audit', '审计的规则'),
      english('packages/wechat/SPEC.md', 'rules/code-pool', 'Rules of the code pool', '码池的规则'),
      english('docs/decisions.md', 'decisions', 'Decisions', '设计决策'),
      english('docs/surprises.md', 'surprises', 'Surprises', '外部软件的意外行为'),
      both('docs/glossary.md', 'glossary', 'Glossary', '术语表'),
      english('CONTRIBUTING.md', 'contributing', 'Contributing', '参与开发'),
      english('CHANGELOG.md', 'changes', 'Changes', '更新日志'),
    ],
  },
]

/** All pages of the table. */
export const pages: readonly Page[] = [home, ...groups.flatMap((group) => group.pages), apiIndex]

/** Files that the site has for download, by their addresses. */
export const downloads: Readonly<Record<string, string>> = {
  'apps/web/public/docs/openapi.json': '/openapi.json',
  'apps/web/public/docs/asyncapi.json': '/asyncapi.json',
}

/** Files that are no pages because the site says the same elsewhere. */
export const insteadOf: Readonly<Record<string, string>> = {
  'README.md': '/',
  'README.zh-CN.md': '/zh/',
}

/** One Markdown file of the site, in one language. */
export interface Sheet {
  file: string
  /** With `zh/` in front if it is Chinese. */
  address: string
  isChinese: boolean
  page: Page
}

/** The files of all pages, whether they exist or not. */
export const sheets: readonly Sheet[] = pages.flatMap((page) => [
  { file: page.file, address: page.address, isChinese: false, page },
  ...(page.fileZh ? [{ file: page.fileZh, address: `zh/${page.address}`, isChinese: true, page }] : []),
])

/** The link of an address: `/` for `index`, `/api/` for `api/index`. */
export const linkOf = (address: string): string => `/${address.replace(/(^|\/)index$/, '$1')}`

/** The files that a repository has, and those that are still to be written. */
export const readSheets = (root: string): { there: Sheet[]; missing: Sheet[] } => ({
  there: sheets.filter(({ file }) => existsSync(join(root, file))),
  missing: sheets.filter(({ file }) => !existsSync(join(root, file))),
})

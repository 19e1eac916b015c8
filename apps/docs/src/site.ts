import { slug } from 'github-slugger'
import type { DefaultTheme, UserConfig } from 'vitepress'
import { linkOf, readSheets, type Sheet } from './pages.ts'
import { renderForSite } from './render.ts'
import { repository, root } from './repository.ts'
import { tokenize, tokenizeQuery, weightOf } from './search.ts'
import { apiSidebars, mainSidebar } from './sidebar.ts'

type Theme = DefaultTheme.Config

export interface SiteOptions {
  base: string
  /** The folder that `stageSite` has filled. */
  stage: string
}

const TITLE = 'Saoma'
const DESCRIPTION = 'Log people in by scanning a code, and send them live messages. A cluster that you run yourself.'
const DESCRIPTION_ZH = '扫码登录，实时消息。由你自行部署的集群。'

const chinese = (there: readonly Sheet[], nav: Theme['nav']): Theme => ({
  nav,
  sidebar: { '/zh/': mainSidebar(there, true) },
  editLink: { pattern: `${repository}/edit/main/:path`, text: '编辑此页' },
  outline: { level: [2, 3], label: '本页内容' },
  docFooter: { prev: '上一页', next: '下一页' },
  darkModeSwitchLabel: '外观',
  lightModeSwitchTitle: '切换到浅色模式',
  darkModeSwitchTitle: '切换到深色模式',
  sidebarMenuLabel: '目录',
  returnToTopLabel: '回到顶部',
  skipToContentLabel: '跳到正文',
  notFound: { title: '没有这一页', quote: '地址可能已经改变。', linkLabel: '回到首页', linkText: '回到首页' },
})

const searchZh = {
  button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
  modal: {
    displayDetails: '显示详情',
    resetButtonTitle: '清除',
    backButtonTitle: '关闭',
    noResultsText: '没有找到',
    footer: {
      selectText: '选择',
      selectKeyAriaLabel: '回车',
      navigateText: '切换',
      navigateUpKeyAriaLabel: '向上',
      navigateDownKeyAriaLabel: '向下',
      closeText: '关闭',
      closeKeyAriaLabel: 'Esc',
    },
  },
}

/** The first of these pages that exists. */
const firstOf = (there: readonly Sheet[], ...addresses: string[]): string => {
  const known = there.map(({ address }) => address)
  return linkOf(addresses.find((address) => known.includes(address)) ?? 'index')
}

const navOf = (there: readonly Sheet[], words: readonly [string, string, string, string], zh: '' | 'zh/') => [
  { text: words[0], link: firstOf(there, `${zh}start`, `${zh}login`, 'login') },
  { text: words[1], link: firstOf(there, `${zh}operate`, 'operate') },
  { text: words[2], link: firstOf(there, `${zh}protocol`, 'protocol') },
  { text: words[3], link: firstOf(there, `${zh}api/index`) },
]

/** The configuration of VitePress for a folder that `stageSite` has filled. */
export const siteConfig = ({ base, stage }: SiteOptions): UserConfig<Theme> => {
  const { there } = readSheets(root)
  const byPath = new Map(there.map((sheet) => [`${sheet.address}.md`, sheet]))
  /** The same page in the other language; its home page where there is none. */
  const pairOf = ({ page, isChinese }: Sheet): string => {
    const pair = there.find((sheet) => sheet.page === page && sheet.isChinese !== isChinese)
    return linkOf(pair?.address ?? (isChinese ? 'index' : 'zh/index'))
  }
  return {
    base,
    title: TITLE,
    cleanUrls: true,
    // Else each page would carry the sidebars of all.
    metaChunk: true,
    // What people try on their own machine.
    ignoreDeadLinks: 'localhostLinks',
    head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}favicon.svg` }]],
    // Without a label VitePress has no menu of languages. It would lead to pages that are only in one; the
    // theme has a link of its own.
    locales: {
      root: { label: '', lang: 'en', description: DESCRIPTION },
      zh: {
        label: '',
        lang: 'zh-CN',
        link: '/zh/',
        title: 'Saoma 扫码',
        description: DESCRIPTION_ZH,
        themeConfig: chinese(there, navOf(there, ['使用', '运维', '协议', 'API'], 'zh/')),
      },
    },
    markdown: {
      // One anchor works here and on GitHub.
      anchor: { slugify: slug },
      // GitHub has no attributes, and `{scene}` is part of a path.
      attrs: { disable: true },
      emoji: { shortcuts: {} },
      // Two languages of docs/front.md that are not coloured.
      languageAlias: { caddyfile: 'nginx', haproxy: 'ini' },
      config: renderForSite,
    },
    themeConfig: {
      logo: '/favicon.svg',
      nav: navOf(there, ['Use', 'Operate', 'Protocol', 'API'], ''),
      sidebar: { ...apiSidebars(stage), '/': mainSidebar(there, false) },
      outline: [2, 3],
      editLink: { pattern: `${repository}/edit/main/:path`, text: 'Edit this page' },
      socialLinks: [{ icon: 'github', link: repository }],
      search: {
        provider: 'local',
        options: {
          locales: { zh: { translations: searchZh } },
          miniSearch: { options: { tokenize }, searchOptions: { tokenize: tokenizeQuery, boostDocument: weightOf } },
        },
      },
    },
    transformPageData: (data) => {
      const sheet = byPath.get(data.relativePath)
      // The edit link leads to the file in the repository. A page that is made of docstrings names its own.
      if (!sheet) return { frontmatter: { ...data.frontmatter, editLink: false, otherLanguage: '/zh/' } }
      return { filePath: sheet.file, frontmatter: { ...data.frontmatter, otherLanguage: pairOf(sheet) } }
    },
    // In KB: the index of the search is one file.
    vite: { build: { chunkSizeWarningLimit: 4096 } },
  }
}

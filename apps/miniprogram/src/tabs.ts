import type { Text } from './logic/text.ts'

const tabs = ['devices', 'messages', 'table'] as const
const ignore = (): void => {}

/**
 * Sets the titles of a tab's page and of all tabs in the person's language. app.json holds one language only.
 * WeChat allows this call on tab pages only.
 */
export const nameTabs = ({ words }: Text, title: string): void => {
  wx.setNavigationBarTitle({ title })
  for (const [index, tab] of tabs.entries()) wx.setTabBarItem({ index, text: words.tabs[tab], fail: ignore })
}

/**
 * Shows the number of waiting items beside a tab's name. WeChat refuses it while another page is in front;
 * the next change shows it.
 */
export const countTab = (tab: (typeof tabs)[number], n: number): void => {
  const index = tabs.indexOf(tab)
  if (n > 0) wx.setTabBarBadge({ index, text: n > 99 ? '99+' : String(n), fail: ignore })
  else wx.removeTabBarBadge({ index, fail: ignore })
}

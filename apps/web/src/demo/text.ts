import type { LiveState } from '@saoma/client'
import { type Language, language } from '../language.ts'

export const demos = ['table', 'chat', 'inbox', 'job'] as const
export type DemoName = (typeof demos)[number]

interface FrameText {
  demos: string
  names: Record<DemoName, string>
  titles: Record<DemoName, string>
  leads: Record<DemoName, string>
  states: Record<LiveState, string>
  recovering: string
  unread: string
  logout: string
  footer: string
  home: string
  reload: string
}

const text: Record<Language, FrameText> = {
  en: {
    demos: 'Examples',
    names: { table: 'Table', chat: 'Chat', inbox: 'Messages', job: 'Callback' },
    titles: {
      table: 'Order at a table',
      chat: 'Chat room',
      inbox: 'Message center',
      job: 'Third-party callback',
    },
    leads: {
      table: 'Everybody at one table shares one order. Sign in to join it.',
      chat: 'A room with a memory. Sign in to join it.',
      inbox: 'Your messages, on all your screens at once. Sign in to see them.',
      job: 'A slow answer finds its way back to the page that asked. Sign in to ask.',
    },
    states: {
      connecting: 'Connecting…',
      socket: 'Live',
      stream: 'Live, by event stream',
      poll: 'Live, by polling',
      reconnecting: 'Reconnecting…',
      offline: 'Offline',
      ended: 'Ended',
    },
    recovering: 'Recovering…',
    unread: 'Unread messages: {n}',
    logout: 'Log out',
    footer: 'This page uses nothing but the public API.',
    home: 'About this login',
    reload: 'Connect again',
  },
  zh: {
    demos: '示例',
    names: { table: '点餐', chat: '聊天', inbox: '消息', job: '回调' },
    titles: { table: '扫码点餐', chat: '聊天室', inbox: '消息中心', job: '第三方回调' },
    leads: {
      table: '同桌的人共用一份订单。登录后即可加入。',
      chat: '聊天室会保留历史消息。登录后即可加入。',
      inbox: '你的消息会同步到所有屏幕。登录后即可查看。',
      job: '缓慢的结果会回到发起请求的页面。登录后即可发起。',
    },
    states: {
      connecting: '正在连接…',
      socket: '实时',
      stream: '实时（事件流）',
      poll: '实时（轮询）',
      reconnecting: '正在重新连接…',
      offline: '已离线',
      ended: '已断开',
    },
    recovering: '正在恢复…',
    unread: '{n} 条未读消息',
    logout: '退出登录',
    footer: '本页面只使用公开的 API。',
    home: '关于本次登录',
    reload: '重新连接',
  },
}

export const say = (): FrameText => text[language()]

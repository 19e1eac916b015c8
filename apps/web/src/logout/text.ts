import { type Language, language } from '../language.ts'

const text = {
  en: {
    title: 'Saoma · Log out',
    heading: 'Do you want to log out?',
    asks: '{name} asks this. You are logged in in this browser.',
    asksSelf: 'You are logged in in this browser.',
    ends: 'Logging out ends this login, and with it that of every application that you entered by it.',
    all: 'Log out',
    onlyThis: 'Leave {name} only',
    stay: 'Stay logged in',
    done: 'You are logged out.',
    over: 'Nobody is logged in in this browser, or this question was answered already.',
    loading: 'One moment…',
  },
  zh: {
    title: 'Saoma · 退出登录',
    heading: '要退出登录吗？',
    asks: '{name}提出了这个请求。你在这个浏览器中处于登录状态。',
    asksSelf: '你在这个浏览器中处于登录状态。',
    ends: '退出后，这次登录以及由它进入的所有应用都会结束。',
    all: '退出登录',
    onlyThis: '只离开{name}',
    stay: '保持登录',
    done: '你已退出登录。',
    over: '这个浏览器中没有人登录，或者这个问题已经回答过了。',
    loading: '请稍候…',
  },
} as const satisfies Record<Language, unknown>

export const say = (): (typeof text)[Language] => text[language()]

import { fill, type Language, language } from '../language.ts'

const text = {
  en: {
    heading: 'Room “{room}”',
    hint: 'What is said here stays for a week. Reload, or lose the network: nothing is missed.',
    messages: 'Messages',
    empty: 'Nothing has been said yet.',
    missing: 'Some messages are too old to be shown here.',
    write: 'Your message',
    send: 'Send',
    sending: 'sending…',
    failed: 'Not sent: {code}',
    again: 'Send again',
    here: { one: '1 person here', other: '{n} people here' },
    others: 'and {n} more',
    me: 'you',
    typing: { one: '{names} is writing…', other: '{names} are writing…' },
  },
  zh: {
    heading: '聊天室“{room}”',
    hint: '消息保留一周。刷新页面或断网，都不会漏掉消息。',
    messages: '消息',
    empty: '还没有消息。',
    missing: '更早的消息已无法显示。',
    write: '输入消息',
    send: '发送',
    sending: '发送中…',
    failed: '发送失败：{code}',
    again: '重新发送',
    here: { one: '1 人在线', other: '{n} 人在线' },
    others: '以及另外 {n} 人',
    me: '我',
    typing: { one: '{names} 正在输入…', other: '{names} 正在输入…' },
  },
} as const satisfies Record<Language, unknown>

export const say = (): (typeof text)[Language] => text[language()]

export const sayHere = (n: number): string => fill(n === 1 ? say().here.one : say().here.other, { n })

const MOST_NAMES = 3

export const sayTyping = (names: readonly string[]): string => {
  const joined = names.slice(0, MOST_NAMES).join(language() === 'zh' ? '、' : ', ')
  return fill(names.length === 1 ? say().typing.one : say().typing.other, { names: joined })
}

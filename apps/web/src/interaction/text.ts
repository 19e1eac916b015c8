import { type Language, language } from '../language.ts'

const text = {
  en: {
    title: '{name} · Log in',
    heading: 'Log in to {name}',
    lead: 'Your phone already knows who you are.',
    steps: [
      ['Scan', 'Point your phone at the code.'],
      ['Compare', 'Both screens must show {name} and the same eight letters.'],
      ['Confirm', 'You return to {name} by yourself.'],
    ],
    cancel: 'Cancel, back to {name}',
    goingOn: 'Logged in. Returning to {name}…',
    consent: '{name} wants to know who you are',
    asks: 'It would get:',
    claim: 'also: {name}',
    nothing: 'nothing more than it has got already',
    agree: 'Allow',
    decline: 'Do not allow',
    over: 'This login is over, or it was begun in another browser.',
    again: 'Go back to the application, and log in there again.',
    loading: 'One moment…',
    footer: 'Only confirm what you started yourself.',
  },
  zh: {
    title: '{name} · 登录',
    heading: '登录{name}',
    lead: '你的手机已经知道你是谁。',
    steps: [
      ['扫码', '用手机对准二维码。'],
      ['核对', '两个屏幕应显示{name}和相同的八个字母。'],
      ['确认', '页面会自动返回{name}。'],
    ],
    cancel: '取消，返回{name}',
    goingOn: '已登录，正在返回{name}…',
    consent: '{name}想知道你是谁',
    asks: '它将获得：',
    claim: '还有：{name}',
    nothing: '没有比已获得的更多的信息',
    agree: '允许',
    decline: '不允许',
    over: '本次登录已结束，或是在另一个浏览器中发起的。',
    again: '请返回应用，重新登录。',
    loading: '请稍候…',
    footer: '只确认由你本人发起的登录。',
  },
} as const satisfies Record<Language, unknown>

export const say = (): (typeof text)[Language] => text[language()]

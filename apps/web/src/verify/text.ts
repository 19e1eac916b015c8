import { type Language, language } from '../language.ts'

const text = {
  en: {
    title: 'Saoma · Log in',
    heading: 'Confirm the login in WeChat',
    hint: 'Another screen waits for it. Any of these ways will do.',
    scan: 'Scan this picture',
    scanHint:
      'Open WeChat, tap Scan, and point it at the picture. On this phone: save the picture, and choose it in Scan from the album.',
    picture: 'Code to scan with WeChat',
    check: 'The phone that scans asks for this number',
    type: 'Type the code',
    open: 'Open the mini-program',
    typeHint: 'Open the mini-program in WeChat without a code, and type the eight letters that the other screen shows.',
    over: 'This request is over',
    overHint: 'Begin again on the other screen.',
    working: 'One moment…',
    again: 'Try again',
    footer: 'Confirm only what you have started yourself.',
  },
  zh: {
    title: 'Saoma 扫码 · 登录',
    heading: '在微信中确认登录',
    hint: '另一屏幕正在等待确认，以下任一方式均可。',
    scan: '扫描此图片',
    scanHint: '打开微信「扫一扫」，对准图片。若在本机：先保存图片，再在「扫一扫」中从相册选取。',
    picture: '供微信扫描的小程序码',
    check: '扫码的手机会要求输入这个数字',
    type: '输入验证码',
    open: '打开小程序',
    typeHint: '在微信中直接打开小程序，输入另一屏幕上显示的八个字母。',
    over: '该请求已结束',
    overHint: '请在另一屏幕上重新开始。',
    working: '请稍候…',
    again: '重试',
    footer: '请只确认你本人发起的登录。',
  },
} as const satisfies Record<Language, Record<string, string>>

export const say = (): (typeof text)[Language] => text[language()]

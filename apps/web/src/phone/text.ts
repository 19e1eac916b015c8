import { codes } from '@saoma/protocol'
import { fill, type Language, language } from '../language.ts'

const text = {
  en: {
    title: 'Saoma · Phone',
    demo: 'Demo phone. It stands in for the mini-program: here you may be anybody.',
    who: 'Who are you?',
    whoHint: 'Pick the person this phone belongs to.',
    own: 'Somebody else',
    name: 'Your name',
    use: 'Continue',
    as: 'You are {name}',
    change: 'Change',
    typeHeading: 'Enter the code',
    typeHint: 'Eight letters, shown under the picture on the other screen.',
    userCode: 'Code',
    find: 'Find',
    asks: 'Log in to {app}?',
    asksHint: 'Somebody asks to be logged in as you.',
    compare: 'The other screen must show',
    address: 'Address',
    browser: 'Browser',
    system: 'System',
    asked: 'Asked',
    unknown: 'unknown',
    justNow: 'just now',
    secondsAgo: '{n} seconds ago',
    minutesAgo: '{n} min ago',
    caution: 'If you did not start this yourself, decline.',
    decline: 'Decline',
    confirm: 'Confirm',
    left: '{n} s left to decide',
    confirmed: 'Logged in',
    confirmedHint: 'Look at the other screen: it goes on by itself.',
    rejected: 'Declined',
    rejectedHint: 'Nobody was logged in.',
    expired: 'This request has expired',
    expiredHint: 'Scan the new code on the other screen.',
    notDemo: 'This server has no demo phone',
    notDemoHint: 'Its codes are scanned with WeChat. Open WeChat, tap Scan, and point it at the code.',
    wrong: 'That did not work',
    unreachable: 'The server cannot be reached.',
    badName: 'Letters, digits, spaces and . _ - only, at most 32.',
    again: 'Try again',
    another: 'Enter another code',
    working: 'One moment…',
    footer: 'Your phone decides. The picture alone can log nobody in.',
  },
  zh: {
    title: 'Saoma 扫码 · 手机',
    demo: '演示手机，代替小程序：在这里你可以扮演任何人。',
    who: '你是谁？',
    whoHint: '请选择这部手机的主人。',
    own: '其他人',
    name: '你的名字',
    use: '继续',
    as: '当前身份：{name}',
    change: '更换',
    typeHeading: '输入验证码',
    typeHint: '另一屏幕上二维码下方的八个字母。',
    userCode: '验证码',
    find: '查找',
    asks: '登录 {app}？',
    asksHint: '有人请求以你的身份登录。',
    compare: '另一屏幕应显示',
    address: 'IP 地址',
    browser: '浏览器',
    system: '系统',
    asked: '发起时间',
    unknown: '未知',
    justNow: '刚刚',
    secondsAgo: '{n} 秒前',
    minutesAgo: '{n} 分钟前',
    caution: '如果不是你本人发起，请拒绝。',
    decline: '拒绝',
    confirm: '确认登录',
    left: '还剩 {n} 秒',
    confirmed: '登录成功',
    confirmedHint: '请看另一屏幕，页面会自动继续。',
    rejected: '已拒绝',
    rejectedHint: '没有任何人登录。',
    expired: '该请求已过期',
    expiredHint: '请扫描另一屏幕上的新二维码。',
    notDemo: '此服务器没有演示手机',
    notDemoHint: '请用微信扫码：打开微信，点「扫一扫」，对准小程序码。',
    wrong: '操作未成功',
    unreachable: '无法连接服务器。',
    badName: '只能使用文字、数字、空格和 . _ -，最多 32 个字符。',
    again: '重试',
    another: '输入其他验证码',
    working: '请稍候…',
    footer: '由你的手机决定。仅凭二维码图片，谁也无法登录。',
  },
} as const satisfies Record<Language, Record<string, string>>

export const say = (): (typeof text)[Language] => text[language()]

export const sayCode = (code: string): string =>
  code in codes ? codes[code as keyof typeof codes].say[language()] : say().unreachable

/** How long ago the request was made. Two clocks are compared, so nothing is ever in the future. */
export const sayAge = (isoTime: string): string => {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(isoTime)) / 1_000))
  if (!Number.isFinite(seconds)) return say().unknown
  if (seconds < 5) return say().justNow
  return seconds < 120
    ? fill(say().secondsAgo, { n: seconds })
    : fill(say().minutesAgo, { n: Math.floor(seconds / 60) })
}

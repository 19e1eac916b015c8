import { codes } from '@saoma/protocol'

export type Language = 'en' | 'zh'

/** Maps a tag such as `zh-Hans-CN` to a supported language; English is the fallback. */
export const languageOf = (tag: string | null | undefined): Language => (/^zh\b/i.test(tag ?? '') ? 'zh' : 'en')

const text = {
  en: {
    creating: 'Getting a code…',
    slow: 'This takes longer than it should. We keep trying.',
    waiting: 'Scan to log in',
    withCamera: 'Point your phone’s camera at the code',
    withWechat: 'Open WeChat, tap Scan, point it at the code',
    scanned: 'Scanned. Confirm on your phone',
    typeNumber: 'Scanned. Enter {n} on your phone',
    onlyIfSame: 'Confirm only if both codes are the same.',
    compare: 'Compare with your phone',
    confirmed: 'Confirmed. Logging you in…',
    done: 'You are logged in',
    rejected: 'The login was declined',
    nobody: 'Nobody was logged in.',
    expired: 'This code has expired',
    renew: 'Show a new code',
    again: 'Try again',
    left: 'Valid for',
    picture: 'Code to scan with your phone',
    check: 'The phone that scans asks for this number',
    pictureFailed: 'No picture to scan',
    pictureChanged: 'The picture at this address was changed, so it is not shown.',
    pictureUnshown: 'What came cannot be shown. The policy of this page must allow data: and blob: images.',
    pictureAgain: 'Load again',
    samePhone: 'Tap the button, or scan the code with another phone',
    openWechat: 'Open in WeChat',
    openLink: 'Open the phone page',
    newTab: '(new tab)',
    reconnecting: 'Reconnecting…',
    offline: 'You are offline',
    reason: 'Reason',
    enter: 'Log in by scanning',
    opened: 'Go on in the other window',
    windowClosed: 'The window was closed',
    unreachable: 'The server cannot be reached',
    unfinished: 'This login could not be finished',
    misfit: 'This page is not set up correctly',
    keyless: 'This browser cannot keep the key that this page asks for',
    wrong: 'Something went wrong',
  },
  zh: {
    creating: '正在获取二维码…',
    slow: '用时比平常长，仍在尝试。',
    waiting: '扫码登录',
    withCamera: '用手机相机对准二维码',
    withWechat: '打开微信「扫一扫」，对准小程序码',
    scanned: '已扫描，请在手机上确认',
    typeNumber: '已扫描，请在手机上输入 {n}',
    onlyIfSame: '两处验证码一致才可确认。',
    compare: '请与手机上显示的验证码核对',
    confirmed: '已确认，正在登录…',
    done: '登录成功',
    rejected: '登录已被拒绝',
    nobody: '没有任何人登录。',
    expired: '二维码已过期',
    renew: '获取新二维码',
    again: '重试',
    left: '有效时间',
    picture: '供手机扫描的二维码',
    check: '扫码的手机会要求输入这个数字',
    pictureFailed: '二维码加载失败',
    pictureChanged: '该地址的二维码图片已被改动，因此不予显示。',
    pictureUnshown: '收到的内容无法显示。本页面的安全策略须允许 data: 和 blob: 图片。',
    pictureAgain: '重新加载',
    samePhone: '点击按钮，或用另一部手机扫码',
    openWechat: '在微信中打开',
    openLink: '打开手机页面',
    newTab: '（新标签页）',
    reconnecting: '正在重新连接…',
    offline: '网络已断开',
    reason: '原因',
    enter: '扫码登录',
    opened: '请在打开的窗口中继续',
    windowClosed: '登录窗口已关闭',
    unreachable: '无法连接服务器',
    unfinished: '登录未能完成',
    misfit: '此页面的登录设置有误',
    keyless: '此浏览器无法保存本页面所需的密钥',
    wrong: '出错了',
  },
} as const satisfies Record<Language, Record<string, string>>

export type ElementText = (typeof text)[Language]

export const textIn = (language: Language): ElementText => text[language]

/** The sentence for people about a failure's code. */
export const sayFailure = (code: string, language: Language): string => {
  if (code in codes) return codes[code as keyof typeof codes].say[language]
  if (code === 'NETWORK' || code === 'temporarily_unavailable') return text[language].unreachable
  if (code === 'PICTURE_CHANGED') return text[language].pictureChanged
  if (code === 'PICTURE_UNSHOWN') return text[language].pictureUnshown
  if (code === 'SESSION_MISMATCH') return text[language].misfit
  if (code === 'KEY_UNAVAILABLE') return text[language].keyless
  if (code === 'WINDOW_CLOSED') return text[language].windowClosed
  return code === 'invalid_grant' ? text[language].unfinished : text[language].wrong
}

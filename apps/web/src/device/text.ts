import { sayCode } from '../codes.ts'
import { type Language, language } from '../language.ts'

const text = {
  en: {
    title: 'Saoma · Device',
    heading: 'Log in a TV or a program',
    hint: 'It shows eight letters. Your phone confirms who you are.',
    caution: 'Only for letters on a device in front of you, never for ones that somebody sent you.',
    type: 'Type the letters here',
    userCode: 'Code',
    find: 'Continue',
    noSuchCode: 'No device shows this code. Compare it, and try again. It may have expired.',
    phone: 'Or with the phone alone',
    phoneHint: 'Open the app or mini-program that you log in with, and type the letters there.',
    phonePage: 'On the phone, open the phone page, and type the letters there.',
    openApp: 'Open the mini-program',
    openPage: 'Open the phone page',
    login: 'Log in to {app}',
    confirm: 'Confirm on your phone',
    confirmHint: 'The device goes on by itself. You can close this page then.',
    scan: 'Scan this picture',
    scanWechat:
      'Open WeChat, tap Scan, and point it at the picture. On this phone: save the picture, and choose it in Scan from the album.',
    scanAny: 'Point the camera of your phone at the picture.',
    here: 'Go on with this browser',
    picture: 'Code to scan with the phone',
    check: 'The phone that scans asks for this number',
    compare: 'The device and your phone must show',
    another: 'Type another code',
    over: 'This request is over',
    overHint: 'It was decided, or it has expired. If the device still waits, begin again there.',
    working: 'One moment…',
    again: 'Try again',
    footer: 'Your phone decides. The letters alone can log nobody in.',
  },
  zh: {
    title: 'Saoma 扫码 · 设备',
    heading: '登录电视或程序',
    hint: '它会显示八个字母。由你的手机确认你是谁。',
    caution: '只用于你眼前设备上的字母，不要用于别人发来的字母。',
    type: '在这里输入字母',
    userCode: '验证码',
    find: '继续',
    noSuchCode: '没有设备显示这个验证码。请核对后重试，它也可能已过期。',
    phone: '或者只用手机',
    phoneHint: '直接打开你用来登录的应用或小程序，在那里输入字母。',
    phonePage: '在手机上打开手机页面，在那里输入字母。',
    openApp: '打开小程序',
    openPage: '打开手机页面',
    login: '登录{app}',
    confirm: '在手机上确认',
    confirmHint: '设备会自动继续，之后可以关闭本页面。',
    scan: '扫描此图片',
    scanWechat: '打开微信「扫一扫」，对准图片。若在本机：先保存图片，再在「扫一扫」中从相册选取。',
    scanAny: '用手机相机对准图片。',
    here: '用这个浏览器继续',
    picture: '供手机扫描的码',
    check: '扫码的手机会要求输入这个数字',
    compare: '设备和手机应显示',
    another: '输入其他验证码',
    over: '该请求已结束',
    overHint: '它已有结果，或已过期。如果设备仍在等待，请在设备上重新开始。',
    working: '请稍候…',
    again: '重试',
    footer: '由你的手机决定。只凭字母谁也无法登录。',
  },
} as const satisfies Record<Language, Record<string, string>>

export const say = (): (typeof text)[Language] => text[language()]

/** Why the typed letters lead nowhere. */
export const sayMistake = (code: string): string =>
  code === 'TICKET_NOT_FOUND' || code === 'INVALID' ? say().noSuchCode : sayCode(code)

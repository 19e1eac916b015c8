import { createHash } from 'node:crypto'

/*
 * The page that a phone shows instead of the business's own app: the app is not there, or the browser does
 * not open it. It is one answer without scripts, so it also works where little else does.
 */

export interface AppPage {
  /** The name of the business, as `SAOMA_APP_NAME` says it. */
  name: string
  language: 'en' | 'zh'
  /** Where people get the app. */
  install: readonly string[]
  /** Opens the app, if the phone may have it. */
  open?: string
  /** The content of Apple's `apple-itunes-app`, by which Safari offers the app. */
  banner?: string
  /** WeChat shows this page. It opens no apps. */
  inWechat: boolean
}

const text = {
  en: {
    title: '{name} · Log in',
    heading: 'Log in with the {name} app',
    lead: 'Only this app can confirm the code that you have scanned.',
    steps: ['Open the {name} app on this phone.', 'Scan the code again, with the app.'],
    open: 'Open the app',
    wechat: 'WeChat does not open other apps. Open the {name} app yourself.',
    install: 'If you do not have the app yet',
    caution: 'Did somebody send you this code or this address? Then close this page.',
    other: '中文',
  },
  zh: {
    title: '{name} · 登录',
    heading: '用{name} App 登录',
    lead: '你扫描的二维码只能由这个 App 确认。',
    steps: ['在这部手机上打开{name} App。', '用 App 再次扫描二维码。'],
    open: '打开 App',
    wechat: '微信不能打开其他 App，请自行打开{name} App。',
    install: '还没有安装这个 App？',
    caution: '如果二维码或本页地址是别人发给你的，请关闭本页。',
    other: 'English',
  },
} as const

/** What people call the places where they get apps. */
const stores: Readonly<Record<string, string>> = {
  'apps.apple.com': 'App Store',
  'play.google.com': 'Google Play',
  'appgallery.huawei.com': 'HUAWEI AppGallery',
  'app.mi.com': '小米应用商店 · Mi GetApps',
  'a.app.qq.com': '腾讯应用宝 · MyApp',
}

const STYLE = `
:root{color-scheme:light dark;--ground:#f3f6f4;--surface:#fff;--text:#16211c;--muted:#55635c;--line:#d9e1dc;
--accent:#0a7a50;--on:#fff;--warn:#8a5300;--warn-ground:#fdf3e1}
@media (prefers-color-scheme:dark){:root{--ground:#0f1613;--surface:#18211d;--text:#eef4f0;--muted:#a6b5ad;
--line:#35433c;--accent:#4cc993;--on:#06231a;--warn:#f0b35a;--warn-ground:#2b2414}}
*{box-sizing:border-box}
body{margin:0;color:var(--text);background:var(--ground);-webkit-text-size-adjust:100%;
font:400 1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:28rem;margin:0 auto;padding:.75rem 1rem 2rem}
nav{text-align:end}
nav a{display:inline-block;padding:.6rem;color:var(--accent)}
h1,h2{line-height:1.25;overflow-wrap:anywhere}
h1{margin:.5rem 0;font-size:1.55rem}
h2{margin:0 0 .75rem;font-size:1.05rem}
p{margin:.4rem 0 1rem}
.sub{color:var(--muted)}
section{margin-top:1rem;padding:1.25rem;background:var(--surface);border:1px solid var(--line);border-radius:1.25rem}
ol{margin:0;padding-inline-start:1.5rem}
li+li{margin-top:.5rem}
.button{display:block;min-height:2.9rem;margin-top:.75rem;padding:.6rem 1.2rem;color:var(--on);font-weight:600;
text-align:center;text-decoration:none;overflow-wrap:anywhere;background:var(--accent);border:2px solid var(--accent);
border-radius:.85rem}
.quiet{color:var(--text);background:transparent;border-color:var(--line)}
a:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
.caution{margin:1.25rem 0 0;padding:.8rem 1rem;color:var(--warn);font-weight:600;background:var(--warn-ground);
border-radius:.85rem}
`

const sha256 = (style: string): string => createHash('sha256').update(style).digest('base64')

/** What the page may do: show itself. Nobody may frame it. */
export const APP_PAGE_POLICY = `default-src 'none'; style-src 'sha256-${sha256(STYLE)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (words: string): string => words.replace(/[&<>"']/g, (sign) => entities[sign] ?? '')

const storeOf = (link: string): string => {
  const { hostname = '' } = URL.parse(link) ?? {}
  return stores[hostname] ?? hostname
}

/** The page as HTML. Nothing of it was written by a stranger but for the ticket, whose form is known. */
export const appPage = ({ name, language, install, open, banner, inWechat }: AppPage): string => {
  const words = text[language]
  const say = (sentence: string): string => escaped(sentence.replaceAll('{name}', () => name))
  const button = (link: string, what: string, style = ''): string =>
    `<a class="button${style}" href="${escaped(link)}" rel="noreferrer">${escaped(what)}</a>`
  const other = language === 'en' ? 'zh' : 'en'
  return `<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${banner ? `<meta name="apple-itunes-app" content="${escaped(banner)}">\n` : ''}<title>${say(words.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<nav><a href="?lang=${other}" lang="${other === 'zh' ? 'zh-CN' : 'en'}">${words.other}</a></nav>
<h1>${say(words.heading)}</h1>
<p class="sub">${say(words.lead)}</p>
<section>
<ol>${words.steps.map((step) => `<li>${say(step)}</li>`).join('')}</ol>
${inWechat ? `<p class="caution">${say(words.wechat)}</p>` : open ? button(open, words.open) : ''}
</section>
${
  install.length === 0
    ? ''
    : `<section>
<h2>${say(words.install)}</h2>
${install.map((link) => button(link, storeOf(link), ' quiet')).join('\n')}
</section>`
}
<p class="caution">${say(words.caution)}</p>
</main>
</body>
</html>
`
}

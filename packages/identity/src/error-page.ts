import type { KoaContextWithOIDC } from './oidc-provider.ts'
import type { RequestState } from './request-state.ts'

/** What the page needs of a request and its answer. */
type Context = Pick<KoaContextWithOIDC, 'method' | 'set' | 'remove' | 'type' | 'body' | 'response' | 'state'>

/** Errors that end by themselves. The page looks again, after `Retry-After` if that says when. */
const PASSING = new Set(['temporarily_unavailable', 'server_error'])
const AGAIN_SECONDS = 3

const text = {
  passing: [
    'The login is not available right now. This page tries again by itself.',
    '登录暂时不可用，本页面会自动重试。',
  ],
  broken: [
    'This login cannot go on. Go back to the application, and log in there again.',
    '无法继续登录。请返回应用，重新登录。',
  ],
  logout: [
    'This logout cannot go on: it may be over. Go back to the application, and log out there again.',
    '无法继续退出登录：可能已经结束。请返回应用，重新退出登录。',
  ],
  elsewhere: [
    'This application lets people log in from certain networks only. Come from one of them, such as the office or its VPN, and log in there again.',
    '该应用只允许从指定的网络登录。请使用办公网络或公司 VPN，再重新登录。',
  ],
} as const

/** What is wrong with the registration of an application. People see it while somebody sets one up. */
const setUp: Readonly<Record<string, readonly [en: string, zh: string]>> = {
  invalid_client: [
    'If you set it up: no application is registered with this client_id.',
    '如果你正在配置应用：没有应用以这个 client_id 注册。',
  ],
  invalid_redirect_uri: [
    'If you set it up: its redirect address is not the registered one, letter by letter. The address bar shows it behind redirect_uri=.',
    '如果你正在配置应用：它的重定向地址与注册的不完全相同。地址栏中 redirect_uri= 之后就是它。',
  ],
}

/**
 * The page of an authorization request that must not be answered to the application, because it is not known
 * to be one, or because Redis is unavailable. It shows nothing that a stranger has written.
 *
 * @param out  OAuth's error
 * @param what  what the person wanted. @default to log in
 */
export const errorPage = (ctx: Context, out: { error?: string }, what: 'broken' | 'logout' = 'broken'): void => {
  const code = /^[a-z_]{1,64}$/.test(out.error ?? '') ? out.error : 'invalid_request'
  const isPassing = PASSING.has(code ?? '')
  const isElsewhere = (ctx.state as RequestState).refusal?.code === 'NETWORK_NOT_ALLOWED'
  const [en, zh] = text[isPassing ? 'passing' : isElsewhere ? 'elsewhere' : what]
  const [hintEn, hintZh] = setUp[code ?? ''] ?? []
  const hint = hintEn ? `<p>${hintEn}</p>\n<p lang="zh-CN">${hintZh}</p>\n` : ''
  const seconds = Math.max(AGAIN_SECONDS, Number(ctx.response.get('Retry-After')) || 0)
  if (isPassing && ctx.method === 'GET') ctx.set('Refresh', String(seconds))
  // The request may have failed after it had an answer.
  ctx.remove('Location')
  // It is repeated with the cookies that the browser has. Some would be taken away by that answer.
  if (isPassing) ctx.remove('Set-Cookie')
  ctx.type = 'html'
  ctx.body = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Saoma</title></head>
<body>
<h1>${code}</h1>
<p>${en}</p>
<p lang="zh-CN">${zh}</p>
${hint}</body>
</html>
`
}

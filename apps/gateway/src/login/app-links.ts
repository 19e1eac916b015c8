import Router from '@koa/router'
import { parseTicket } from '@saoma/protocol'
import type { Config } from '../config/config.ts'
import type { OwnApp } from '../config/own-app.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { APP_PAGE_POLICY, appPage } from './app-page.ts'
import { addressFor } from './ticket-address.ts'

export type AppLinkOptions = Pick<Config, 'origin' | 'appName' | 'demo' | 'ownApp' | 'wechat'>

/** For how long the files may be kept. Android and Apple keep them for longer in any case. */
const FILE_CACHE = 'public, max-age=3600'

/** https://developer.android.com/training/app-links/configure-assetlinks */
const assetLinks = ({ android }: OwnApp): object[] =>
  android.map(({ package: name, fingerprints }) => ({
    relation: ['delegate_permission/common.handle_all_urls'],
    target: { namespace: 'android_app', package_name: name, sha256_cert_fingerprints: fingerprints },
  }))

/** https://developer.apple.com/documentation/xcode/supporting-associated-domains, iOS 13 and later. */
const siteAssociation = ({ ios }: OwnApp): object => ({
  applinks: { details: [{ appIDs: ios, components: [{ '/': '/l/*' }] }] },
})

/**
 * An address that opens the app from a page of the same origin, which app links do not. If the app is not
 * there, Chrome goes to the store.
 */
const intentOf = (address: string, { android, install }: OwnApp): string | undefined => {
  const [first] = android
  const { host, pathname } = new URL(address)
  const store = install.find((link) => URL.parse(link)?.hostname === 'play.google.com')
  const otherwise = store ? `S.browser_fallback_url=${encodeURIComponent(store)};` : ''
  return first && `intent://${host}${pathname}#Intent;scheme=https;package=${first.package};${otherwise}end`
}

/** https://developer.apple.com/documentation/webkit/promoting-apps-with-smart-app-banners */
const bannerOf = (address: string, { ios, install }: OwnApp): string | undefined => {
  const ids = install.map((link) => /^https:\/\/apps\.apple\.com\/.*\bid(\d+)/.exec(link)?.[1])
  const id = ids.find((found) => found !== undefined)
  return ios.length > 0 && id !== undefined ? `app-id=${id}, app-argument=${address}` : undefined
}

/**
 * What ties the address in a picture to the business's own app: the two files by which Android and iOS open
 * the app, and the page for a phone without it. Nothing here needs Redis.
 */
export const appLinkRoutes = (options: AppLinkOptions): Router<RequestState> => {
  const { origin, appName, demo, ownApp, wechat } = options
  const router = new Router<RequestState>({ sensitive: true })
  if (!ownApp) return router

  const file = (ctx: Context, content: object): void => {
    ctx.state.routine = true
    ctx.body = JSON.stringify(content)
    // Neither system takes another type, nor a charset in every version.
    ctx.set('Content-Type', 'application/json')
    ctx.set('Cache-Control', FILE_CACHE)
  }

  const show = (ctx: Context, ticket: string | undefined): void => {
    const { lang } = ctx.query
    const accepted = ctx.acceptsLanguages('en', 'zh') === 'zh' ? 'zh' : 'en'
    const agent = ctx.get('User-Agent')
    const address = ticket === undefined ? undefined : addressFor(origin, 'app', ticket)
    const open = address !== undefined && /Android/.test(agent) ? intentOf(address, ownApp) : undefined
    const banner = address === undefined ? undefined : bannerOf(address, ownApp)
    ctx.state.routine = true
    ctx.vary('Accept-Language')
    ctx.vary('User-Agent')
    ctx.set('Cache-Control', 'no-cache')
    ctx.set('Content-Security-Policy', APP_PAGE_POLICY)
    ctx.set('X-Frame-Options', 'DENY')
    ctx.type = 'html'
    ctx.body = appPage({
      name: appName,
      language: lang === 'en' || lang === 'zh' ? lang : accepted,
      install: ownApp.install,
      inWechat: /MicroMessenger/.test(agent),
      ...(open ? { open } : {}),
      ...(banner ? { banner } : {}),
    })
  }

  router.get('/l/:ticket', (ctx) => {
    const ticket = parseTicket(ctx.params.ticket)
    if (ticket.ok) show(ctx, ticket.value)
  })
  // RFC 8628's `verification_uri`. With WeChat or demo phones it is a page of theirs.
  if (!demo && !wechat)
    router.get('/phone', (ctx) => {
      const ticket = parseTicket([ctx.query.ticket].flat()[0])
      show(ctx, ticket.ok ? ticket.value : undefined)
    })
  router.get('/.well-known/assetlinks.json', (ctx) => {
    if (ownApp.android.length > 0) file(ctx, assetLinks(ownApp))
  })
  router.get('/.well-known/apple-app-site-association', (ctx) => {
    if (ownApp.ios.length > 0) file(ctx, siteAssociation(ownApp))
  })

  return router
}

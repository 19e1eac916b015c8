import { isSub } from '@saoma/accounts'
import { WEB_CLIENT } from './clients.ts'
import { readProof } from './key-proof.ts'
import type { KnownBrowsers } from './known-browsers.ts'
import { isLoginClient } from './login-client.ts'
import { type KoaContextWithOIDC, Provider } from './oidc-provider.ts'
import type { ProviderOptions } from './provider-options.ts'
import { askPhone, PREFIX_OF_BROWSER, type Push } from './push.ts'
import type { RequestState } from './request-state.ts'

export interface KnownBrowserLoginDeps {
  browsers: KnownBrowsers
  push: Push
  /** Whether the account of a person is active. */
  isActive: (sub: string) => Promise<boolean>
  /** Resolves with false if the proof of this key and id was used before. */
  isNew: (jkt: string, id: string, until: number) => Promise<boolean>
}

/** What the page sends besides, in the form of its request. */
interface Sent {
  /** The person who has logged in here before. For tokens: if they are this person's, it stays remembered. */
  browser_of?: unknown
  /** A proof of this browser's key for this request, in the form of RFC 9449. */
  browser_proof?: unknown
}

/**
 * The login in a browser where somebody has logged in before: it asks that person's phone, so nothing has to
 * be scanned. Nobody else can: the browser proves a key that it has proven at a login of that person. Where
 * anything is missing there is a code as usual, and no error: the page must not learn why. The code may be
 * scanned by anybody even so: somebody else may sit there today.
 */
export interface KnownBrowserLogin {
  /** Takes a place on the phone for a new ticket. Resolves with whether it has one. */
  ask(ticket: string): Promise<boolean>
  /** Tells the phone, when the ticket is there. */
  tell(ctx: KoaContextWithOIDC): void
  /** Remembers the browser that has just got its tokens, if it wants to be. Never rejects. */
  remember(ctx: KoaContextWithOIDC): Promise<void>
}

const isPage = (clientId: string): boolean => clientId === WEB_CLIENT || isLoginClient(clientId)

export const createKnownBrowserLogin = (
  { browsers, push, isActive, isNew }: KnownBrowserLoginDeps,
  { origin, appName, describe }: Pick<ProviderOptions, 'origin' | 'appName' | 'describe'>,
): KnownBrowserLogin => {
  /** The thumbprint of the key that the request proves. */
  const provenKey = async ({ oidc }: KoaContextWithOIDC, path: string): Promise<string | undefined> => {
    const { browser_proof: jwt } = Object(oidc.body) as Sent
    if (typeof jwt !== 'string' || !isPage(oidc.client?.clientId ?? '')) return undefined
    const proven = await readProof({ jwt, method: 'POST', url: `${origin}${path}` })
    return proven && (await isNew(proven.jkt, proven.id, proven.until)) ? proven.jkt : undefined
  }

  return {
    ask: async (ticket) => {
      const { ctx } = Provider
      const { browser_of: sub } = Object(ctx?.oidc.body) as Sent
      if (!ctx || typeof sub !== 'string' || !isSub(sub)) return false
      const jkt = await provenKey(ctx, '/oidc/device/auth')
      if (jkt === undefined || !(await browsers.knows(sub, jkt)) || !(await isActive(sub))) return false
      return (await askPhone(push, { sub, ticket, client: `${PREFIX_OF_BROWSER}${jkt}` })) === undefined
    },
    tell: ({ oidc, state }) => {
      const { pushed } = state as RequestState
      const { clientId = WEB_CLIENT, clientName: app = appName } = oidc.client ?? {}
      if (pushed) push.tell({ sub: pushed.sub, ticket: pushed.ticket, client: clientId, app })
    },
    remember: async (ctx) => {
      try {
        const { Account, Grant, DeviceCode } = ctx.oidc.entities
        if (ctx.status !== 200 || !DeviceCode || !Account || !Grant) return
        const { accountId: sub } = Account
        const { browser_of: former } = Object(ctx.oidc.body) as Sent
        if (former !== undefined && former !== sub) return
        const jkt = await provenKey(ctx, '/oidc/token')
        if (jkt === undefined) return
        // Nobody has asked anew, and the person may have taken it off the list.
        if (former !== undefined && !(await browsers.knows(sub, jkt))) return
        await browsers.remember(sub, jkt, { ...describe(ctx), sid: Grant.jti })
        const { name } = await Account.claims('id_token', 'profile', {}, [])
        const told = typeof name === 'string' && name !== '' ? { remembered_name: name } : {}
        ctx.body = { ...(ctx.body as object), browser_remembered: true, ...told }
      } catch {
        // The login has succeeded. The next one is by a scan.
      }
    },
  }
}

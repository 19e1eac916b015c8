import type { Accounts } from '@saoma/accounts'
import { TOKEN_EXCHANGE_GRANT, WX_CODE_GRANT } from '@saoma/protocol'
import { phoneAudience } from './clients.ts'
import type { Provider, ResourceServer } from './oidc-provider.ts'
import type { ProviderOptions } from './provider-options.ts'
import { exchangeParameters, exchangeRepeats, tokenExchangeGrant } from './token-exchange.ts'
import { wxCodeGrant } from './wx-code.ts'

/** Registers the ways in which a phone gets its token. */
export const registerPhoneGrants = (
  provider: Provider,
  accounts: Pick<Accounts, 'of'>,
  { origin, recognise, recogniseApp }: Pick<ProviderOptions, 'origin' | 'recognise' | 'recogniseApp'>,
  serverOf: (clientId: string) => ResourceServer,
): void => {
  const wxCode = wxCodeGrant(accounts, recognise, origin, serverOf)
  provider.registerGrantType(WX_CODE_GRANT, wxCode, ['code', 'app', 'phone_code', 'scope'])
  if (!recogniseApp) return
  const exchange = tokenExchangeGrant({ accounts, recogniseApp, origin, audience: phoneAudience(origin), serverOf })
  provider.registerGrantType(TOKEN_EXCHANGE_GRANT, exchange, [...exchangeParameters], [...exchangeRepeats])
}

// Modules are evaluated in the order of their imports, so the order below matters. Every other module imports
// oidc-provider from here.
import { sayAll } from './provider-notice.ts'

export * from 'oidc-provider'
export { Provider } from 'oidc-provider'

sayAll()

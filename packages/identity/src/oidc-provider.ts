// The order matters: modules are evaluated in the order of their imports. Whoever needs oidc-provider takes
// it from here.
import { sayAll } from './provider-notice.ts'

export * from 'oidc-provider'
export { Provider } from 'oidc-provider'

sayAll()

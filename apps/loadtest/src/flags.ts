/** Node flags of a gateway in production. */
export const gatewayFlags: readonly string[] = ['--max-semi-space-size=2']

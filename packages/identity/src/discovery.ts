/** Who introspects has to show who it is (RFC 7662, section 2.1). */
const WITH_SECRET = ['client_secret_basic', 'client_secret_post']

/**
 * The provider's metadata, as it is here: the languages of our pages, no answer in a fragment, which is for
 * tokens in addresses, and how clients authenticate where they may not do so as they like.
 */
export const describeProvider = (metadata: object): object => ({
  ...metadata,
  ui_locales_supported: ['en', 'zh-CN'],
  response_modes_supported: ['query', 'form_post'],
  introspection_endpoint_auth_methods_supported: WITH_SECRET,
  revocation_endpoint_auth_methods_supported: ['none', ...WITH_SECRET],
})

/**
 * The provider's metadata, as it is here: the languages of our pages, and no answer in a fragment, which is
 * for tokens in addresses.
 */
export const describeProvider = (metadata: object): object => ({
  ...metadata,
  ui_locales_supported: ['en', 'zh-CN'],
  response_modes_supported: ['query', 'form_post'],
})

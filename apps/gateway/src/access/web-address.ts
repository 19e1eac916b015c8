/** Whether a text is an address of the web that names no user. */
export const isWebAddress = (text: string): boolean => {
  const { protocol = '', username } = URL.parse(text) ?? {}
  return /^https?:$/.test(protocol) && username === ''
}

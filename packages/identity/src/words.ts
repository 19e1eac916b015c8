/** The words of a list with spaces between them, such as scopes. None if it is no text. */
export const wordsOf = (text: unknown): string[] => (typeof text === 'string' ? text.split(' ').filter(Boolean) : [])

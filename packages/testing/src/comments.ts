/** In the middle of a line only behind a space, so that addresses stay. */
const COMMENTS = /\/\*[\s\S]*?\*\/|(?:^|\s)\/\/.*$/gm

/** TypeScript without its comments, judging by their signs: a text with such a sign loses what follows it. */
export const withoutComments = (code: string): string => code.replace(COMMENTS, '')

const REFUSED = /^node \w+ ended \(exit code 1\):\n/
const STACK = /^\s+at /m

/**
 * What a node said before it ended without ever listening, if that was said to a person: about its settings,
 * or a Redis that it cannot have. Its log lines and our own words around them only hide it. Undefined when
 * the node broke.
 */
export const refusalOf = (message: string): string | undefined => {
  if (!REFUSED.test(message)) return undefined
  const said = message
    .replace(REFUSED, '')
    .split('\n')
    .filter((line) => !line.startsWith('{'))
    .join('\n')
    .trimEnd()
  return said && !STACK.test(said) ? said : undefined
}

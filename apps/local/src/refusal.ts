const REFUSED = /^node \w+ ended \(exit code 1\):\n/
const STACK = /^\s+at /m

/**
 * The message of a node that ended before it listened, if the message is for the user: about settings, or
 * about Redis. Removes the node's log lines and our own prefix. Undefined if the node crashed.
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

/*
 * oidc-provider warns of an "unsupported runtime" while it is loaded, unless the build of Node bears the name
 * of an LTS line. Builds of Node 26 up to October 2026 do not bear it yet. The sentence would be the one line
 * of a node's log that is not JSON, and a false alarm. So that sentence is dropped, and only while
 * oidc-provider is loaded; everything else that it says passes.
 */

const UNSUPPORTED = 'oidc-provider WARNING: Unsupported runtime.'
const { warn } = console

console.warn = (...said: unknown[]) => {
  if (!String(said[0]).includes(UNSUPPORTED)) warn(...said)
}

/** From here on everything is said again. */
export const sayAll = (): void => {
  console.warn = warn
}

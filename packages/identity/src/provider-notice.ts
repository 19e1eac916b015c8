/*
 * While it is loaded, oidc-provider warns of an "unsupported runtime", unless the build of Node bears the
 * name of an LTS line. Builds of Node 26 up to October 2026 do not bear it yet. The warning is a false alarm,
 * and it would be the only line of a node's log that is not JSON. So this one warning is dropped, only while
 * oidc-provider is loaded. Other output passes.
 */

const UNSUPPORTED = 'oidc-provider WARNING: Unsupported runtime.'
const { warn } = console

console.warn = (...said: unknown[]) => {
  if (!String(said[0]).includes(UNSUPPORTED)) warn(...said)
}

/** Restores the normal output. */
export const sayAll = (): void => {
  console.warn = warn
}

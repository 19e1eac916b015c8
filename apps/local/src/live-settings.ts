import { readFile } from 'node:fs/promises'

type Settings = Readonly<Record<string, string>>

/** The setting may contain the text, or name a file that contains it, as for the nodes. */
const textOf = async (value: string | undefined): Promise<string | undefined> =>
  value && /^[./]/.test(value) ? readFile(value, 'utf8') : value

/** The user's rules come first, because the first match counts. The nodes report rules that are no list. */
const joinRules = (own: string, shops: string): string => {
  try {
    const rules: unknown = JSON.parse(own)
    return Array.isArray(rules) ? JSON.stringify([...rules, ...JSON.parse(shops)]) : own
  } catch {
    return own
  }
}

/**
 * Merges the shop's keys, rules and hook with the user's. A hook of the user replaces the shop's. Files of
 * the user are read once, so a key that is added there later needs a restart.
 *
 * @param keyFile  has the shop's key. The nodes get this file, if the user names no keys
 */
export const joinLiveSettings = async (
  own: Settings,
  shops: Settings,
  keyFile: string,
): Promise<Record<string, string>> => {
  const [keys, rules, shopRules] = await Promise.all(
    [own.SAOMA_API_KEYS, own.SAOMA_CHANNELS, shops.SAOMA_CHANNELS].map(textOf),
  )
  const joined = {
    ...shops,
    SAOMA_API_KEYS: keys ? `${keys}\n${shops.SAOMA_API_KEYS}` : keyFile,
    ...(rules ? { SAOMA_CHANNELS: joinRules(rules, shopRules ?? '[]') } : {}),
  }
  if (!own.SAOMA_HOOK_URL) return joined
  return { ...joined, SAOMA_HOOK_URL: own.SAOMA_HOOK_URL, SAOMA_HOOK_SECRET: own.SAOMA_HOOK_SECRET ?? '' }
}

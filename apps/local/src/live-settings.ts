import { readFile } from 'node:fs/promises'

type Settings = Readonly<Record<string, string>>

/** These two may hold their text or name a file with it, as the nodes read them. */
const textOf = async (value: string | undefined): Promise<string | undefined> =>
  value && /^[./]/.test(value) ? readFile(value, 'utf8') : value

/**
 * Own rules first: the first one that matches counts. What is no list is left for the nodes to complain of.
 */
const joinRules = (own: string, shops: string): string => {
  try {
    const rules: unknown = JSON.parse(own)
    return Array.isArray(rules) ? JSON.stringify([...rules, ...JSON.parse(shops)]) : own
  } catch {
    return own
  }
}

/**
 * The shop's keys, rules and hook, beside the person's own. A hook of their own takes the shop's place. Files
 * are read once: a key that is put into one later needs a restart here.
 */
export const joinLiveSettings = async (own: Settings, shops: Settings): Promise<Record<string, string>> => {
  const [keys, rules, shopRules] = await Promise.all(
    [own.SAOMA_API_KEYS, own.SAOMA_CHANNELS, shops.SAOMA_CHANNELS].map(textOf),
  )
  const joined = {
    ...shops,
    ...(keys ? { SAOMA_API_KEYS: `${keys}\n${shops.SAOMA_API_KEYS}` } : {}),
    ...(rules ? { SAOMA_CHANNELS: joinRules(rules, shopRules ?? '[]') } : {}),
  }
  if (!own.SAOMA_HOOK_URL) return joined
  return { ...joined, SAOMA_HOOK_URL: own.SAOMA_HOOK_URL, SAOMA_HOOK_SECRET: own.SAOMA_HOOK_SECRET ?? '' }
}

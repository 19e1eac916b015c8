import { createHash } from 'node:crypto'

/** A backend's API key in every test cluster; it may do everything in every channel. */
export const testApiKey = 'saoma_test_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG'
/** Another backend's key, for `room:read-*` only. */
export const narrowApiKey = 'saoma_narrow_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG'

/** An administrator's key, with every scope. */
export const testAdminKey = 'saoma_admin_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG'
const ALL_SCOPES =
  'accounts:read,accounts:write,sessions:end,audit:read,channels:read,channels:write,nodes:read,nodes:write,keys:write,clients:read,clients:write'

/** A line of SAOMA_API_KEYS. */
export const apiKeyLine = (key: string, patterns: string, scopes = ''): string =>
  `${key.split('_')[1]} ${createHash('sha256').update(key).digest('hex')} ${patterns} ${scopes}`.trim()

/** A room's name begins with its rule: `room:open-1`, `room:read-1`. */
const rules = [
  { match: 'room:open-*', follow: 'public', publish: 'followers', announce: true },
  { match: 'room:read-*', follow: 'public', publish: 'nobody' },
  { match: 'room:members-*', follow: 'members', publish: 'followers' },
  { match: 'room:hook-*', follow: 'hook', publish: 'hook' },
]

/**
 * API keys and rules of a test cluster. Nothing listens at the hook's address: a test that needs the hook
 * starts its own.
 */
export const liveSettings: Record<string, string> = {
  SAOMA_API_KEYS: [
    apiKeyLine(testApiKey, 'room:*,user:*'),
    apiKeyLine(narrowApiKey, 'room:read-*'),
    apiKeyLine(testAdminKey, 'room:*,user:*', ALL_SCOPES),
  ].join(';'),
  SAOMA_CHANNELS: JSON.stringify(rules),
  SAOMA_HOOK_URL: 'http://127.0.0.1:9/',
  SAOMA_HOOK_SECRET: 'a secret of tests, which a hook is asked with',
}

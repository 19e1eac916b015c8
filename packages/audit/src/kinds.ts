/**
 * What can have happened. Words before the dot are groups. To everything that nobody has to log in for,
 * `strangers` gives a share of its own, so that a flood of codes pushes out nothing that people did.
 */
export const kinds = {
  /** A browser asked for a code. */
  'login.asked': 'strangers',
  /** Nobody decided in time. Noted only if a browser waited for the ticket. */
  'login.expired': 'strangers',
  /** An application sent a request to the person's phone. */
  'login.pushed': 'people',
  /** A phone scanned the code. */
  'login.scanned': 'people',
  /** A phone was refused: `reason` is the code. */
  'login.refused': 'people',
  'login.confirmed': 'people',
  'login.declined': 'people',
  /** Too many accounts had scanned the code. */
  'login.void': 'people',
  /** The person says of a login: this was not me. `ip`, `browser` and `os` are those of that login. */
  'login.reported': 'people',
  /** The browser got its tokens. With it the session `sid` began. */
  'login.redeemed': 'people',
  /** A session that began in another way than by a redeemed code. */
  'session.began': 'people',
  /** An application got tokens for a person who had logged in. */
  'application.entered': 'people',
  /** An application could not be told that a session has ended. `reason` says why. */
  'application.untold': 'people',
  /** A person's token of the business's own app (`app`) was exchanged for that of a phone. */
  'phone.admitted': 'people',
  /** Such a token was signed rightly, and refused: `reason` is `used`, `key-missing` or `key-wrong`. */
  'phone.refused': 'strangers',
  /** A session was refreshed from another network than before. */
  'session.moved': 'people',
  /** `by` says who ended it, `reason` why. */
  'session.ended': 'people',
  'account.created': 'people',
  'account.linked': 'people',
  'account.unlinked': 'people',
  'account.disabled': 'people',
  'account.enabled': 'people',
  'account.deleted': 'people',
  'account.refused': 'people',
  'key.made': 'people',
  /** The first use of an API key. */
  'key.used': 'people',
  'key.rotated': 'people',
  'key.revoked': 'people',
  /** A registered application in Redis. */
  'client.made': 'people',
  'client.changed': 'people',
  'client.rotated': 'people',
  'client.removed': 'people',
  /** An administrator did something that no other kind says: `reason` names it. */
  'admin.acted': 'people',
  /** `count` requests were refused within a minute. `reason` is the code. */
  refusals: 'strangers',
  /** `count` entries were lost. `reason` says why. */
  'audit.lost': 'people',
} as const satisfies Record<string, 'people' | 'strangers'>

export type Kind = keyof typeof kinds

export const kindNames: readonly Kind[] = Object.keys(kinds) as Kind[]

/** A group of kinds: all words that stand before a dot. */
export const groupNames: readonly string[] = [
  ...new Set(kindNames.flatMap((kind) => (kind.includes('.') ? kind.slice(0, kind.indexOf('.')) : []))),
]

/** Whether this is the name of a kind or of a group. */
export const isKindOrGroup = (name: string): boolean => Object.hasOwn(kinds, name) || groupNames.includes(name)

/** Whether a kind is one of these kinds, or in one of these groups. Of none it is always one. */
export const isOneOf = (kind: string, wanted: readonly string[]): boolean =>
  wanted.length === 0 || wanted.includes(kind) || wanted.includes(kind.split('.')[0] ?? '')

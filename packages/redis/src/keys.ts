/**
 * Increase it with every change to what nodes store in Redis, or send each other, that older nodes do not
 * understand.
 */
export const CLUSTER_VERSION = 2
/**
 * Nodes of this version may run beside ours during an update. As long as one of them runs, ours write only
 * what it understands (`Membership.version`). Set it to CLUSTER_VERSION for a version that cannot do that.
 */
export const VERSION_BESIDE = 1

/**
 * All keys and pub/sub channels of the cluster. They are named only here. Braces are Redis Cluster hash tags:
 * all keys of one script have the same tag, so they lie in one slot.
 *
 * Each key has a TTL, set by its writer, with these exceptions: `signingKeys` and `signingKeysKnown`, because
 * without them all issued tokens would be worthless; `account`, `accountLink` and `accountOf`, because a
 * business stores its own data under those names; `accountKeys`, without which nobody would be found; and
 * `apiKeys` and `clients`, which are used until somebody removes them. They are bounded, and nodes remove
 * what has expired.
 */
export const createKeys = (prefix: string) => ({
  prefix,

  /** Hash: the login ticket. */
  ticket: (ticket: string) => `${prefix}:ticket:{${ticket}}`,
  /** String: the ticket behind a typed user code. */
  userCode: (userCode: string) => `${prefix}:user-code:{${userCode}}`,
  /**
   * Socket.IO room of a ticket. It must not have 20 characters, or the adapter would take it for a socket id.
   */
  ticketRoom: (ticket: string) => `{${ticket}}`,
  /** Channel on which the sharded adapter sends to that room. It shares the ticket's slot. */
  ticketChannel: (namespace: string, ticket: string) => `${prefix}#${namespace}#{${ticket}}#`,

  /**
   * Hash: requests to log in that applications have sent to a person's phone in the last ten minutes, and the
   * applications of which the person wants none for a day.
   */
  requests: (sub: string) => `${prefix}:requests:{${sub}}`,
  /** Hash: the browsers that may ask a person's phone, by the thumbprint of their key. */
  browsers: (sub: string) => `${prefix}:browsers:{${sub}}`,
  /** Sorted set: such requests whose application is told of the answer, by the time (ms) of the next look. */
  pingsDue: () => `${prefix}:pings-due`,

  /** Hash: one record of the OAuth provider, for example a refresh token. `id` is a hash, never a token. */
  oidc: (model: string, id: string) => `${prefix}:oidc:${model}:{${id}}`,
  /** String: marks of the refresh tokens that a session has used up. */
  usedRefreshTokens: (sid: string) => `${prefix}:used-refresh-tokens:{${sid}}`,
  /**
   * Hash: the applications that have yet to be told that a session, or their grant, has ended. It lies in the
   * slot of that record. `id` is a hash.
   */
  untold: (id: string) => `${prefix}:untold:{${id}}`,
  /** Sorted set: what has ended, by the time (ms) from which on its applications are told. */
  untoldDue: () => `${prefix}:untold-due`,
  /** Hash: a person's account. */
  account: (sub: string) => `${prefix}:account:{${sub}}`,
  /** String: the account of an outside identity, or of a unionid. `name` is an HMAC. */
  accountLink: (name: string) => `${prefix}:account-link:{${name}}`,
  /** String: the same, as former versions stored it. `identity` is a hash, never an openid. */
  accountOf: (identity: string) => `${prefix}:account-of:{${identity}}`,
  /**
   * String: the encrypted signing keys of an algorithm. Those of ES256 have the name that was there first.
   */
  signingKeys: (alg = 'ES256') =>
    alg === 'ES256' ? `${prefix}:signing-keys` : `${prefix}:signing-keys-${alg}:{${prefix}:signing-keys}`,
  /**
   * String: the ids of these keys, and of those that were removed. It lies in the slot of the keys, because
   * its hash tag is the name of the first ones.
   */
  signingKeysKnown: (alg = 'ES256') =>
    `${prefix}:signing-keys-${alg === 'ES256' ? '' : `${alg}-`}known:{${prefix}:signing-keys}`,

  /**
   * String: the encrypted keys by which accounts are found and opened. It lies in the slot of the signing
   * keys.
   */
  accountKeys: () => `${prefix}:account-keys:{${prefix}:signing-keys}`,

  /**
   * Hash: API keys of backends by name, sealed, of which only the id is open. `.` is the version, which
   * changes with each change, and `!<id>` the mark of a key that was revoked.
   */
  apiKeys: () => `${prefix}:api-keys:{${prefix}:api-keys}`,
  /** Hash: the first and the last use (ms) of API keys, by their id. */
  apiKeyUses: () => `${prefix}:api-key-uses:{${prefix}:api-keys}`,
  /** Pub/sub channel on which nodes hear that API keys have changed. */
  apiKeyChanges: () => `${prefix}#api-keys#{${prefix}:api-keys}`,

  /**
   * Hash: registered applications by client id, in the form of `apiKeys`. It lies in the slot of the keys,
   * because the key that asks for a change must not be a revoked one.
   */
  clients: () => `${prefix}:clients:{${prefix}:api-keys}`,
  /** Hash: the first and the last use (ms) of applications, by the id of their entry. */
  clientUses: () => `${prefix}:client-uses:{${prefix}:api-keys}`,
  /** Pub/sub channel on which nodes hear that applications have changed. */
  clientChanges: () => `${prefix}#clients#{${prefix}:api-keys}`,

  /** String: WeChat's access token, encrypted, shared by all nodes. It lives as long as the token. */
  wechatToken: (appid: string) => `${prefix}:wechat:{${appid}}:token`,
  /** String: lock of the one node that fetches that token. */
  wechatTokenLock: (appid: string) => `${prefix}:wechat:{${appid}}:lock`,
  /** Sorted set: times of the forced refreshes in the last 24 hours. */
  wechatForced: (appid: string) => `${prefix}:wechat:{${appid}}:forced`,

  /**
   * String, sealed: the phone number that WeChat told for a code, so that the request may be repeated. `code`
   * is a hash.
   */
  phoneNumber: (code: string) => `${prefix}:phone-number:{${code}}`,

  /**
   * String, empty: a token of the business's own app that was exchanged. It lives until no node would take
   * the token any more. `token` is a hash of its issuer and its id.
   */
  subjectToken: (token: string) => `${prefix}:subject-token:{${token}}`,

  /** String: number of codes that all nodes drew in one minute, for WeChat's quota. */
  wechatDraws: (appid: string, minute: number) => `${prefix}:wechat:{${appid}}:draws:${minute}`,

  /** Hash: a pooled code. An app's whole pool lies in one slot. */
  poolCode: (appid: string, scene: string) => `${prefix}:pool:{${appid}}:code:${scene}`,
  /** Set: fresh codes, which nobody has seen yet. */
  poolFresh: (appid: string) => `${prefix}:pool:{${appid}}:fresh`,
  /** Set: rested codes, which were leased before and may be leased again. */
  poolRested: (appid: string) => `${prefix}:pool:{${appid}}:rested`,
  /**
   * Sorted set: codes that are leased or in quarantine, by the time (ms) from which they may be leased again.
   */
  poolBusy: (appid: string) => `${prefix}:pool:{${appid}}:busy`,
  /** String: run id of the Redis server that has recorded all recent leases. */
  poolRun: (appid: string) => `${prefix}:pool:{${appid}}:run`,
  /** String: the code that a ticket has leased. */
  poolLease: (appid: string, ticket: string) => `${prefix}:pool:{${appid}}:lease:${ticket}`,
  /** String: number of pictures requested in one minute. */
  poolDemand: (appid: string, minute: number) => `${prefix}:pool:{${appid}}:demand:${minute}`,
  /** String: lease of the node that fills the pool. */
  poolRefiller: (appid: string) => `${prefix}:pool:{${appid}}:refiller`,
  /** String: the id of the store that holds the pictures. */
  poolStore: (appid: string) => `${prefix}:pool:{${appid}}:store`,

  /** Hash: where a person is logged in, by session. The grant decides whether a session still lives. */
  sessions: (sub: string) => `${prefix}:sessions:{${sub}}`,
  /**
   * String: the last end of all sessions of a person, in the slot of the list. It lives as long as a login
   * that was scanned before that end may be redeemed.
   */
  sessionsEnd: (sub: string) => `${prefix}:sessions-end:{${sub}}`,

  /** Stream: what happened. It has several parts, each in a slot of its own. */
  audit: (part: string) => `${prefix}:audit:{${part}}`,
  /** String: number of the last batch that one process added to a part. */
  auditBatch: (part: string, run: string) => `${prefix}:audit:{${part}}:batch:${run}`,
  /** Sorted set: ids of a person's entries in a part, without what API keys did, by time (ms). */
  auditOf: (part: string, person: string) => `${prefix}:audit:{${part}}:of:${person}`,
  /** Sorted set: ids of the entries in a part that say what API keys did to a person, by time (ms). */
  auditDone: (part: string, person: string) => `${prefix}:audit:{${part}}:done:${person}`,
  /** Sorted set: ids of the entries in a part that say what an API key did, by time (ms). */
  auditBy: (part: string, key: string) => `${prefix}:audit:{${part}}:by:${key}`,
  /** Hash: the network that each session of a person was last seen in, as a keyed hash under each secret. */
  auditPlaces: (part: string, person: string) => `${prefix}:audit:{${part}}:places:${person}`,
  /**
   * String: the time (ms) at which a person's entries were erased. Older ones may still be on their way. It
   * outlives the person, so `hash` stands for them.
   */
  auditErased: (part: string, hash: string) => `${prefix}:audit:{${part}}:erased:${hash}`,
  /** String, empty: something that is noted once only was noted. */
  auditOnce: (part: string, name: string) => `${prefix}:audit:{${part}}:once:${name}`,

  /** Hash: a channel's epoch, newest offset and read position. It outlives the log. */
  channelMeta: (channel: string) => `${prefix}:channel:{${channel}}:meta`,
  /** Stream: the messages of a channel; their ids are `<offset>-0`. */
  channelLog: (channel: string) => `${prefix}:channel:{${channel}}:log`,
  /** String: the result of the publication with an idempotency key. `id` is a hash, never the key. */
  channelReceipt: (channel: string, id: string) => `${prefix}:channel:{${channel}}:receipt:${id}`,
  /** Hash: number of connections per person who follows a channel. */
  channelPeople: (channel: string) => `${prefix}:channel:{${channel}}:people`,
  /** Hash: the same for the followers on one node. */
  channelPeopleOf: (channel: string, node: string) => `${prefix}:channel:{${channel}}:people:${node}`,
  /** Hash: the last ends of a person's sessions, by session. The empty name stands for all sessions. */
  channelEnds: (channel: string) => `${prefix}:channel:{${channel}}:ends`,
  /** Pub/sub channel that carries a channel's messages and events between nodes. */
  channelPubsub: (channel: string) => `${prefix}:live:{${channel}}`,

  /** String, sealed: a file of a build of the pages. */
  pageFile: (path: string) => `${prefix}:page:{${path}}`,

  /** String: the process that holds a node's name. */
  nodeName: (nodeId: string) => `${prefix}:node-name:{${nodeId}}`,
  /** String: what the clock of a node said, written every few seconds. It lies in the slot of the name. */
  nodeClock: (nodeId: string) => `${prefix}:node-clock:{${nodeId}}`,
  /** String: the version of the running nodes. */
  clusterVersion: () => `${prefix}:cluster-version`,
  /** Sorted set: the nodes by the end of their lease. */
  nodes: () => `${prefix}:nodes`,
  /** Set: the channels that clients of a node follow. */
  nodeChannels: (node: string) => `${prefix}:node:{${node}}:channels`,
  /** String: lock of the node that sweeps a dead node. */
  nodeSweep: (node: string) => `${prefix}:node:{${node}}:sweep`,

  /** String, empty: a write to the slot of another key, for replicas to acknowledge. */
  touch: (key: string) => `${prefix}:touch:{${/\{(.+?)\}/.exec(key)?.[1] ?? key}}`,
  /** String: written by every node repeatedly, to check that the shard of the tag accepts writes. */
  beat: (tag: string) => `${prefix}:beat:{${tag}}`,
  /** String: one per node and shard. If it is missing, the shard has lost its data. */
  mark: (tag: string) => `${prefix}:mark:{${tag}}`,
  /** Pub/sub channel on which a node hears its own beats. */
  beatChannel: (tag: string) => `${prefix}#beat#{${tag}}`,
  /** Pub/sub channel with requests to disconnect all clients that came through one run of nginx. */
  proxyLeaves: () => `${prefix}#proxy-leaves`,
  /** Pub/sub channel on which every node is asked something: how it is, or to drain. */
  nodeCalls: () => `${prefix}#node-calls`,
  /** Pub/sub channel for the answers. `run` is the process that asks. */
  nodeAnswers: (run: string) => `${prefix}#node-answers#{${run}}`,
  /** One key of each type, for a few seconds: a node's trial before it works with a Redis. */
  trial: (tag: string, type: string) => `${prefix}:trial:{${tag}}:${type}`,

  /** String: what a subject has spent of a shared budget in its present window. `subject` is a hash. */
  budget: (name: string, subject: string) => `${prefix}:budget:${name}:{${subject}}`,
  /**
   * Hash: the places that nodes hold for a subject, each with the time (ms) at which the hold expires.
   * `subject` is a hash.
   */
  places: (name: string, subject: string) => `${prefix}:places:${name}:{${subject}}`,

  /** Prefix of the rate limiter's counters. */
  rateLimit: (name: string) => `${prefix}:rate:${name}`,
})

export type Keys = ReturnType<typeof createKeys>

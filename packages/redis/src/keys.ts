/**
 * Raised with each change of what nodes keep in Redis, or say to each other, that the nodes before it do not
 * understand.
 */
export const CLUSTER_VERSION = 1

/**
 * Every key and channel of the cluster is named here and nowhere else. Braces are Redis Cluster hash tags:
 * all that one script touches carries the same tag, so it lives in one slot.
 *
 * Each key has a TTL, set by whoever writes it, with two exceptions: `signingKeys` and `signingKeysKnown`,
 * because without them every token that is out would be worthless, and `account`/`accountOf`, because a
 * business stores its own data under those names.
 */
export const createKeys = (prefix: string) => ({
  prefix,

  /** Hash: the login ticket. */
  ticket: (ticket: string) => `${prefix}:ticket:{${ticket}}`,
  /** String: the ticket behind a typed user code. */
  userCode: (userCode: string) => `${prefix}:user-code:{${userCode}}`,
  /** Socket.IO room of a ticket. Not 20 characters long, which the adapter would take for a socket id. */
  ticketRoom: (ticket: string) => `{${ticket}}`,
  /** Channel on which the sharded adapter carries that room; it shares the ticket's slot. */
  ticketChannel: (namespace: string, ticket: string) => `${prefix}#${namespace}#{${ticket}}#`,

  /** Hash: one record of the OAuth provider, for example a refresh token. `id` is a hash, never a token. */
  oidc: (model: string, id: string) => `${prefix}:oidc:${model}:{${id}}`,
  /** String: marks of the refresh tokens that a session has used up. */
  usedRefreshTokens: (sid: string) => `${prefix}:used-refresh-tokens:{${sid}}`,
  /** Hash: a person's account. */
  account: (sub: string) => `${prefix}:account:{${sub}}`,
  /** String: the account that belongs to an outside identity. `identity` is a hash, never an openid. */
  accountOf: (identity: string) => `${prefix}:account-of:{${identity}}`,
  /** String: the encrypted signing keys. */
  signingKeys: () => `${prefix}:signing-keys`,
  /**
   * String: the names of these keys, and of those that were taken away. In the slot of the keys, whose name
   * is its hash tag.
   */
  signingKeysKnown: () => `${prefix}:signing-keys-known:{${prefix}:signing-keys}`,

  /** String: WeChat's access token, encrypted, shared by all nodes; it lives as long as the token. */
  wechatToken: (appid: string) => `${prefix}:wechat:{${appid}}:token`,
  /** String: held by the one node that is fetching that token. */
  wechatTokenLock: (appid: string) => `${prefix}:wechat:{${appid}}:lock`,
  /** Sorted set: when the forced refreshes of the last 24 hours were made. */
  wechatForced: (appid: string) => `${prefix}:wechat:{${appid}}:forced`,

  /** String: codes drawn in one minute, by all nodes, for the quota that WeChat sets. */
  wechatDraws: (appid: string, minute: number) => `${prefix}:wechat:{${appid}}:draws:${minute}`,

  /** Hash: a code that was made ahead. All of an app's pool lies in one slot. */
  poolCode: (appid: string, scene: string) => `${prefix}:pool:{${appid}}:code:${scene}`,
  /** Set: codes that nobody has seen yet. */
  poolFresh: (appid: string) => `${prefix}:pool:{${appid}}:fresh`,
  /** Set: codes that have been leased before and may be again. */
  poolRested: (appid: string) => `${prefix}:pool:{${appid}}:rested`,
  /**
   * Sorted set: codes that are leased or in quarantine, by the moment (ms) at which they may be leased again.
   */
  poolBusy: (appid: string) => `${prefix}:pool:{${appid}}:busy`,
  /** String: the run of the Redis server that has seen every lease of late. */
  poolRun: (appid: string) => `${prefix}:pool:{${appid}}:run`,
  /** String: the code that a ticket has leased. */
  poolLease: (appid: string, ticket: string) => `${prefix}:pool:{${appid}}:lease:${ticket}`,
  /** String: pictures asked for in one minute. */
  poolDemand: (appid: string, minute: number) => `${prefix}:pool:{${appid}}:demand:${minute}`,
  /** String: held by the node that fills the pool. */
  poolRefiller: (appid: string) => `${prefix}:pool:{${appid}}:refiller`,
  /** String: the id of the store in which the pictures lie. */
  poolStore: (appid: string) => `${prefix}:pool:{${appid}}:store`,

  /** Hash: where a person is logged in, by session; the grant decides whether each still lives. */
  sessions: (sub: string) => `${prefix}:sessions:{${sub}}`,

  /** Hash: a channel's epoch, newest offset and read position. It outlives the log. */
  channelMeta: (channel: string) => `${prefix}:channel:{${channel}}:meta`,
  /** Stream: the messages of a channel; their ids are `<offset>-0`. */
  channelLog: (channel: string) => `${prefix}:channel:{${channel}}:log`,
  /** String: what became of the publication with an idempotency key. `id` is a hash, never the key. */
  channelReceipt: (channel: string, id: string) => `${prefix}:channel:{${channel}}:receipt:${id}`,
  /** Hash: connections of each person who follows a channel. */
  channelPeople: (channel: string) => `${prefix}:channel:{${channel}}:people`,
  /** Hash: the same for the followers on one node. */
  channelPeopleOf: (channel: string, node: string) => `${prefix}:channel:{${channel}}:people:${node}`,
  /** Hash: the last ends of a person's sessions, by session; the empty name is all of them. */
  channelEnds: (channel: string) => `${prefix}:channel:{${channel}}:ends`,
  /** Pub/sub channel on which nodes hear what happens in a channel. */
  channelPubsub: (channel: string) => `${prefix}:live:{${channel}}`,

  /** String, sealed: a file of a build of the pages. */
  pageFile: (path: string) => `${prefix}:page:{${path}}`,

  /** String: the process that goes by a node's name. */
  nodeName: (nodeId: string) => `${prefix}:node-name:{${nodeId}}`,
  /** String: the version of the nodes that are here. */
  clusterVersion: () => `${prefix}:cluster-version`,
  /** Sorted set: the nodes by the end of their lease. */
  nodes: () => `${prefix}:nodes`,
  /** Set: the channels that a node's people follow. */
  nodeChannels: (node: string) => `${prefix}:node:{${node}}:channels`,
  /** String: held by the node that takes away what a dead node left. */
  nodeSweep: (node: string) => `${prefix}:node:{${node}}:sweep`,

  /** String, empty: a write in the slot of another key, for replicas to acknowledge. */
  touch: (key: string) => `${prefix}:touch:{${/\{(.+?)\}/.exec(key)?.[1] ?? key}}`,
  /** String: written by every node, again and again, to see whether it can be. The tag is a shard's. */
  beat: (tag: string) => `${prefix}:beat:{${tag}}`,
  /** String: of one node, to see whether the shard of the tag has lost its data. */
  mark: (tag: string) => `${prefix}:mark:{${tag}}`,
  /** Pub/sub channel on which a node hears its own beats. */
  beatChannel: (tag: string) => `${prefix}#beat#{${tag}}`,
  /** Pub/sub channel on which nodes hear that what came through a run of nginx has to leave. */
  proxyLeaves: () => `${prefix}#proxy-leaves`,
  /** One of each type, for a few seconds: what a node tries before it works with a Redis. */
  trial: (tag: string, type: string) => `${prefix}:trial:{${tag}}:${type}`,

  /** String: what a subject has spent of a budget of all nodes in its present window. `subject` is a hash. */
  budget: (name: string, subject: string) => `${prefix}:budget:${name}:{${subject}}`,
  /**
   * Hash: the places that nodes hold for a subject, each with the moment (ms) until which it does. `subject`
   * is a hash.
   */
  places: (name: string, subject: string) => `${prefix}:places:${name}:{${subject}}`,

  /** Prefix of the rate limiter's counters. */
  rateLimit: (name: string) => `${prefix}:rate:${name}`,
})

export type Keys = ReturnType<typeof createKeys>

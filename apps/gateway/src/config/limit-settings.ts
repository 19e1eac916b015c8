/** How much of what a network, a person, an API key or the cluster may do. */
export interface LimitSettings {
  codesPerMinute: number
  requestsPerMinute: number
  decisionsPerMinute: number
  handshakesPerMinute: number
  /** Events of one person's connection to the channels in ten seconds. */
  eventsPerTenSeconds: number
  /** Events of one backend's connection in ten seconds. */
  keyEventsPerTenSeconds: number
  /** Channels that one connection may follow. */
  channels: number
  /** Bytes that may be buffered for one reader. */
  bufferBytes: number
  /** Bytes of the JSON of one message's data. */
  messageBytes: number
  /** Messages that one person publishes in a minute, on all nodes. */
  personMessages: number
  /** Bytes of these messages in a minute, and bytes of one person's kept messages in a day. */
  personBytes: number
  personBytesADay: number
  /** New channels that one person creates in a day. The first message creates a channel. */
  personChannels: number
  /** Concurrent subscriptions of one person, on all nodes. */
  personFollows: number
  /** Bytes that one API key publishes in a minute, on all nodes. 0 means no limit. */
  keyBytes: number
  /** New login codes of all browsers in a minute, on all nodes. */
  codesInCluster: number
  /** `wx.login` codes of one network that WeChat rejects, in ten minutes. */
  badPhoneCodes: number
  /** `wx.login` codes that all nodes send to WeChat in a minute. */
  phoneCodesInCluster: number
  /** Demo people that one network creates in an hour. */
  demoPeople: number
}

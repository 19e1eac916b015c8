/** Notes about one HTTP request, for its log line, span and metrics. */
export interface RequestNotes {
  requestId: string
  /** The public origin of the cluster. */
  origin: string
  /** Pattern of its route, such as `/v1/tickets/:ticket`, once it is answered. */
  route?: string
  /** It was held on purpose, so its duration means nothing. */
  held?: true
  /** It is routine, so it is logged at debug. */
  routine?: boolean
  /** An administrator changes something. It is logged although routine, without names of channels. */
  isAct?: boolean
  /** Parameters of an OAuth request. */
  login?: { grant: unknown; client: unknown; ticket?: string }
  /** Name of its API key. */
  key?: string
  /** Why it was refused: a Saoma code or an OAuth error. */
  code?: string
  /** More of the reason, for the operator. The client does not see it. */
  reason?: string
  /** More of the reason, for the developer of the client. */
  detail?: string
  /** Id of its trace, if it is recorded. */
  trace?: string
}

/** What is noted about one HTTP request, for its line in the log, its span and its metrics. */
export interface RequestNotes {
  requestId: string
  /** The public origin of the cluster. */
  origin: string
  /** Its pattern, such as `/v1/tickets/:ticket`, once it is answered. */
  route?: string
  /** It waited for something to happen, so its time says nothing. */
  held?: true
  /** It happens all day long: the log tells of it at debug. */
  routine?: boolean
  /** Of a request of OAuth. */
  login?: { grant: unknown; client: unknown; ticket?: string }
  /** Name of the API key that it bears. */
  key?: string
  /** Why it was refused: a code of ours, or a word of OAuth's. */
  code?: string
  /** The same for an operator, which the client is not told. */
  reason?: string
  /** The same for whoever wrote the client. */
  detail?: string
  /** Id of its trace, when it is recorded. */
  trace?: string
}

/** The store cannot be used as it is; the message says why, and `cause` is what was said to us. */
export class CodeStoreError extends Error {
  override readonly name = 'CodeStoreError'
  /** Whether a setting is wrong, so that it will not pass by itself. */
  readonly isSetting: boolean
  constructor(message: string, options: { isSetting: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.isSetting = options.isSetting
  }
}

/** The store cannot be used. The message says why; `cause` is the original error. */
export class CodeStoreError extends Error {
  override readonly name = 'CodeStoreError'
  /** Whether a setting is wrong, so that the error is permanent. */
  readonly isSetting: boolean
  constructor(message: string, options: { isSetting: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.isSetting = options.isSetting
  }
}

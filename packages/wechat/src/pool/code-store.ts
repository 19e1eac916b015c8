/**
 * Where the pictures of the pool lie. Keys are 1 to 64 characters of `[A-Za-z0-9_.-]` and say nothing to
 * anybody.
 */
export interface CodeStore {
  /** What the operator calls it: the folder or `s3://bucket/prefix`. */
  readonly place: string
  /** Rejects with CodeStoreError when the store cannot be used. */
  check(): Promise<void>
  /**
   * The id that stands in it, by which it is known again. Empty for a store that was made before there were
   * ids; undefined for a place that was never a store of pictures, such as the folder below a disk that is
   * not mounted.
   */
  id(): Promise<string | undefined>
  /** Makes the place a store, with that id. */
  found(id: string): Promise<void>
  /**
   * Resolves when the picture is safely there. Rejects with CodeStoreError for a folder that is there and was
   * never a store.
   */
  put(key: string, bytes: Buffer, type: string): Promise<void>
  /**
   * Undefined when there is none. Rejects with CodeStoreError when the store cannot be asked, or is no place
   * where a picture ever was.
   */
  get(key: string): Promise<Buffer | undefined>
  /** Those that are not there are no error. */
  remove(keys: readonly string[]): Promise<void>
  /** Every key in the store, in no order. */
  list(): AsyncIterable<string>
  /** Where a browser fetches a picture past the gateway; undefined when there is no such place. */
  url(key: string): string | undefined
  close(): void
}

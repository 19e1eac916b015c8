/** A store for the pool's pictures. Keys are 1 to 64 characters of `[A-Za-z0-9_.-]` and carry no meaning. */
export interface CodeStore {
  /** The operator's name for it: the folder or `s3://bucket/prefix`. */
  readonly place: string
  /** Rejects with CodeStoreError when the store cannot be used. */
  check(): Promise<void>
  /**
   * The store's id, which identifies it. Empty for a store that is older than ids. Undefined for a place that
   * was never a store, such as the mount point of a disk that is not mounted.
   */
  id(): Promise<string | undefined>
  /** Makes the place a store with that id. */
  found(id: string): Promise<void>
  /**
   * Resolves when the picture is durably stored. Rejects with CodeStoreError for an existing folder that was
   * never a store.
   */
  put(key: string, bytes: Buffer, type: string): Promise<void>
  /**
   * Undefined if the picture is missing. Rejects with CodeStoreError when the store is unavailable, or when
   * the place was never a store.
   */
  get(key: string): Promise<Buffer | undefined>
  /** Removes pictures; missing ones are no error. */
  remove(keys: readonly string[]): Promise<void>
  /** All keys in the store, unordered. */
  list(): AsyncIterable<string>
  /**
   * The public address of a picture, from which a browser fetches it without the gateway; undefined if there
   * is none.
   */
  url(key: string): string | undefined
  close(): void
}

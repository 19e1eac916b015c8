import type { CodeStore } from './code-store.ts'
import { createFolderStore } from './folder-store.ts'
import { type Addressing, createS3Store } from './s3-store.ts'

export interface CodeStoreOptions {
  /** Public base URL of the store. @default none */
  cdn?: string
  /** Where requests name the bucket. @default what the endpoint's cloud requires */
  addressing?: Addressing
}

const S3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9_.\-/]*))?$/

/**
 * The store at an address: a folder, or `s3://bucket[/prefix]` with credentials, region and endpoint from
 * AWS's own variables. It makes no request yet.
 * @throws TypeError with a sentence for the operator
 */
export const openCodeStore = (address: string, { cdn, addressing }: CodeStoreOptions = {}): CodeStore => {
  if (cdn !== undefined && !/^https?:\/\/[^?#]+$/.test(cdn))
    throw new TypeError('the public address of the code store is not an http(s) URL without a query')
  const place = cdn === undefined ? {} : { cdn }
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    if (address.trim() === '') throw new TypeError('the address of the code store is empty')
    return createFolderStore(address, place)
  }
  const [, bucket, prefix] = S3.exec(address) ?? []
  if (!bucket)
    throw new TypeError(`the address of the code store is neither a folder nor s3://bucket/prefix: ${address}`)
  return createS3Store({ bucket, ...(prefix ? { prefix } : {}), ...(addressing ? { addressing } : {}), ...place })
}

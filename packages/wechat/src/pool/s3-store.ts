import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import pMap from 'p-map'
import type { CodeStore } from './code-store.ts'
import { CodeStoreError } from './code-store-error.ts'
import { checkStoreKey, isStoreKey, MARK, urlUnder } from './store-key.ts'

/**
 * Where a request names the bucket: at the start of the path, at the start of the host name, or nowhere,
 * because the endpoint is a domain of that bucket.
 */
export type Addressing = 'path' | 'virtual-hosted' | 'domain'

export interface S3StoreOptions {
  bucket: string
  /** Prefix of every object's name, so that the pool has a folder of its own. @default none */
  prefix?: string
  /** Public base URL of the objects, prefix included. @default none */
  cdn?: string
  /**
   * The S3 endpoint, region and credentials.
   * @default the SDK's own: AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID …
   */
  endpoint?: string
  region?: string
  credentials?: { accessKeyId: string; secretAccessKey: string }
  /** @default what the endpoint's cloud requires */
  addressing?: Addressing
  /** Milliseconds for one request with all retries. @default 15000 */
  deadlineMs?: number
  /** Names per page of `list`. @default the store's own, at most a thousand */
  perPage?: number
}

const DEADLINE_MS = 15_000
const CONNECT_MS = 3_000
const TRIES = 3
const REMOVED_AT_ONCE = 8
/** The picture of a key never changes. */
const CACHE = 'public, max-age=31536000, immutable'

const sentences: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket',
  InvalidAccessKeyId: 'the access key is not known there: check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret is wrong: check AWS_SECRET_ACCESS_KEY',
  AccessDenied: 'the access key has no right to it',
  InvalidToken: 'the session token is wrong: check AWS_SESSION_TOKEN, and unset it for a key that has none',
  InvalidSecurityToken: 'the session token is wrong: check AWS_SESSION_TOKEN, and unset it for a key that has none',
  ExpiredToken: 'the session token is over: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew',
  ...Object.fromEntries(
    // OSS, COS, OBS, TOS.
    ['SecondLevelDomainForbidden', 'PathStyleDomainForbidden', 'VirtualHostDomainRequired', 'InvalidPathAccess'].map(
      (code) => [code, 'it takes the bucket in the name of the host only: set SAOMA_POOL_ADDRESSING=virtual-hosted'],
    ),
  ),
  CredentialsProviderError: 'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  PermanentRedirect: 'the bucket is in another region: check AWS_REGION',
  AuthorizationHeaderMalformed: 'the bucket is in another region: check AWS_REGION',
}
const LATE = 'no answer in time'
const NO_REGION = 'there is no region: set AWS_REGION'

/** Clouds that require the bucket in the host name, at least for newer buckets. */
const hosted =
  /\.(amazonaws\.com(\.cn)?|aliyuncs\.com|myqcloud\.com|tencentcos\.cn|myhuaweicloud\.(com|eu)|volces\.com|ivolces\.com)$/

/**
 * What an endpoint's cloud requires. A self-hosted store rarely has a host name for each bucket.
 * @param endpoint  default: Amazon's
 */
export const addressingOf = (endpoint: string | undefined): Addressing => {
  const { hostname } = (endpoint && URL.parse(endpoint)) || {}
  return hostname !== undefined && !hosted.test(hostname) ? 'path' : 'virtual-hosted'
}

/**
 * Pictures in a bucket of any S3-compatible store. It uses only features that all of them have: no checksums,
 * and therefore one request per removed object, because the batch request requires a checksum. The SDK is
 * loaded at the first use.
 */
export const createS3Store = (options: S3StoreOptions): CodeStore => {
  const { bucket, cdn, region, credentials } = options
  // The SDK would read it as well, but too late for us.
  const { AWS_ENDPOINT_URL_S3: named } = process.env
  const endpoint = options.endpoint ?? (named || undefined)
  const folder = options.prefix ? `${options.prefix.replace(/^\/+|\/+$/g, '')}/` : ''
  if (endpoint && !/^https?:\/\/[^/]/.test(endpoint))
    throw new TypeError('AWS_ENDPOINT_URL_S3 must be a URL such as https://s3.example.com')
  const addressing = options.addressing ?? addressingOf(endpoint)
  if (addressing === 'domain' && !endpoint)
    throw new TypeError('SAOMA_POOL_ADDRESSING=domain needs the domain of the bucket: set AWS_ENDPOINT_URL_S3')
  // The SDK's `Bucket` parameter where requests must not name the bucket.
  const Bucket = addressing === 'domain' && endpoint ? endpoint : bucket
  const place = `s3://${bucket}/${folder}`
  let client: S3Client | undefined
  let sdk: Promise<typeof import('@aws-sdk/client-s3')> | undefined

  const open = async () => {
    sdk ??= import('@aws-sdk/client-s3')
    const s3 = await sdk
    client ??= new s3.S3Client({
      forcePathStyle: addressing === 'path',
      bucketEndpoint: addressing === 'domain',
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: TRIES,
      requestHandler: { connectionTimeout: CONNECT_MS },
      ...(endpoint && addressing !== 'domain' ? { endpoint } : {}),
      ...(region ? { region } : {}),
      ...(credentials ? { credentials } : {}),
    })
    return { s3, client }
  }

  const explain = (error: unknown, isLate: boolean): CodeStoreError => {
    const { name, message } = Object(error) as { name?: unknown; message?: unknown }
    const known = /^Region /.test(`${message}`) ? NO_REGION : sentences[`${name}`]
    const why = isLate ? LATE : (known ?? `${name}: ${message}`)
    return new CodeStoreError(`${place}: ${why}`, {
      isSetting: !isLate && known !== undefined,
      cause: error,
    })
  }

  const ask = async <T>(
    work: (opened: Awaited<ReturnType<typeof open>>, limits: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    const abortSignal = AbortSignal.timeout(options.deadlineMs ?? DEADLINE_MS)
    try {
      return await work(await open(), { abortSignal })
    } catch (error) {
      throw explain(error, abortSignal.aborted)
    }
  }

  async function* list(): AsyncIterable<string> {
    for (let after: string | undefined, isMore = true; isMore; ) {
      const page = await ask(({ s3, client }, limits) =>
        client.send(
          // Version 1 of this call: every S3-compatible store has it, and it continues after a name instead
          // of a token.
          new s3.ListObjectsCommand({
            Bucket,
            Prefix: folder,
            ...(options.perPage === undefined ? {} : { MaxKeys: options.perPage }),
            ...(after === undefined ? {} : { Marker: after }),
          }),
          limits,
        ),
      )
      const names = (page.Contents ?? []).map(({ Key = '' }) => Key)
      for (const name of names) {
        const key = name.slice(folder.length)
        if (isStoreKey(key)) yield key
      }
      after = names.at(-1)
      isMore = page.IsTruncated === true && after !== undefined
    }
  }

  const write = async (name: string, object: Pick<PutObjectCommandInput, 'Body' | 'ContentType' | 'CacheControl'>) => {
    await ask(({ s3, client }, limits) =>
      client.send(new s3.PutObjectCommand({ Bucket, Key: folder + name, ...object }), limits),
    )
  }
  const read = (name: string): Promise<Buffer | undefined> =>
    ask(async ({ s3, client }, limits) => {
      try {
        const { Body } = await client.send(new s3.GetObjectCommand({ Bucket, Key: folder + name }), limits)
        return Body && Buffer.from(await Body.transformToByteArray())
      } catch (error) {
        if (error instanceof s3.NoSuchKey) return undefined
        throw error
      }
    })

  return {
    place,
    check: async () => {
      await ask(({ s3, client }, limits) =>
        client.send(new s3.ListObjectsCommand({ Bucket, Prefix: folder, MaxKeys: 1 }), limits),
      )
    },
    id: async () => (await read(MARK))?.toString().trim(),
    found: (id) => write(MARK, { Body: id, ContentType: 'text/plain' }),
    put: async (key, Body, ContentType) => write(checkStoreKey(key), { Body, ContentType, CacheControl: CACHE }),
    get: async (key) => read(checkStoreKey(key)),
    remove: async (keys) => {
      const names = keys.map((key) => folder + checkStoreKey(key))
      const remove = (Key: string) =>
        ask(({ s3, client }, limits) => client.send(new s3.DeleteObjectCommand({ Bucket, Key }), limits))
      // One that fails does not keep the others: nothing would ask for them again.
      const failures = await pMap(names, (name) => remove(name).then(() => [], Array.of<unknown>), {
        concurrency: REMOVED_AT_ONCE,
      })
      for (const failure of failures.flat()) throw failure
    },
    list,
    url: urlUnder(cdn),
    close: () => client?.destroy(),
  }
}

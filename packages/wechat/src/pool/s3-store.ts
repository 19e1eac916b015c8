import type { S3Client } from '@aws-sdk/client-s3'
import type { CodeStore } from './code-store.ts'
import { checkStoreKey, isStoreKey, urlUnder } from './store-key.ts'

export interface S3StoreOptions {
  bucket: string
  /** First part of every object's name, a folder of its own for this pool. @default none */
  prefix?: string
  /** Public base URL of the objects, prefix included. @default none */
  cdn?: string
  /** Where S3 is spoken, and with whose name. @default the SDK's own: AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID … */
  endpoint?: string
  region?: string
  credentials?: { accessKeyId: string; secretAccessKey: string }
}

/** One request with all its tries. */
const DEADLINE_MS = 15_000
const CONNECT_MS = 3_000
const TRIES = 3
/** S3 takes no more in one request. */
const REMOVED_AT_ONCE = 1_000
/** A picture never changes under its key. */
const CACHE = 'public, max-age=31536000, immutable'

const sentences: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket',
  InvalidAccessKeyId: 'the access key is not known there: check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret is wrong: check AWS_SECRET_ACCESS_KEY',
  AccessDenied: 'the access key has no right to it',
  CredentialsProviderError: 'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  PermanentRedirect: 'the bucket is in another region: check AWS_REGION',
  AuthorizationHeaderMalformed: 'the bucket is in another region: check AWS_REGION',
  AbortError: 'no answer in time',
  TimeoutError: 'no answer in time',
}

/** The object store cannot be used as it is; the message says why, and `cause` is what the SDK said. */
export class CodeStoreError extends Error {
  override readonly name = 'CodeStoreError'
}

/**
 * Pictures in a bucket of any store that speaks S3. Objects are addressed by path, which all of them understand, and get only the
 * checksums that S3 insists on, because not all know the others. The SDK is loaded at the first use.
 */
export const createS3Store = (options: S3StoreOptions): CodeStore => {
  const { bucket, cdn, endpoint, region, credentials } = options
  const folder = options.prefix ? `${options.prefix.replace(/^\/+|\/+$/g, '')}/` : ''
  let client: S3Client | undefined
  let sdk: Promise<typeof import('@aws-sdk/client-s3')> | undefined

  const open = async () => {
    sdk ??= import('@aws-sdk/client-s3')
    const s3 = await sdk
    client ??= new s3.S3Client({
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: TRIES,
      requestHandler: { connectionTimeout: CONNECT_MS },
      ...(endpoint ? { endpoint } : {}),
      ...(region ? { region } : {}),
      ...(credentials ? { credentials } : {}),
    })
    return { s3, client }
  }

  const explain = (error: unknown): CodeStoreError => {
    const { name, message } = Object(error) as { name?: unknown; message?: unknown }
    const why = sentences[`${name}`] ?? `${name}: ${message}`
    return new CodeStoreError(`s3://${bucket}/${folder}: ${why}`, { cause: error })
  }

  const ask = async <T>(
    work: (opened: Awaited<ReturnType<typeof open>>, limits: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    try {
      return await work(await open(), { abortSignal: AbortSignal.timeout(DEADLINE_MS) })
    } catch (error) {
      throw explain(error)
    }
  }

  async function* list(): AsyncIterable<string> {
    for (let after: string | undefined, isMore = true; isMore; ) {
      const page = await ask(({ s3, client }, limits) =>
        client.send(
          // The first version of this call: every store that speaks S3 knows it, and it goes on after a name instead of a token.
          new s3.ListObjectsCommand({
            Bucket: bucket,
            Prefix: folder,
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

  return {
    put: async (key, bytes, type) => {
      const object = { Bucket: bucket, Key: folder + checkStoreKey(key), Body: bytes, ContentType: type }
      await ask(({ s3, client }, limits) =>
        client.send(new s3.PutObjectCommand({ ...object, CacheControl: CACHE }), limits),
      )
    },
    get: (key) => {
      const object = { Bucket: bucket, Key: folder + checkStoreKey(key) }
      return ask(async ({ s3, client }, limits) => {
        try {
          const { Body } = await client.send(new s3.GetObjectCommand(object), limits)
          return Body && Buffer.from(await Body.transformToByteArray())
        } catch (error) {
          if (error instanceof s3.NoSuchKey) return undefined
          throw error
        }
      })
    },
    remove: async (keys) => {
      const objects = keys.map((key) => ({ Key: folder + checkStoreKey(key) }))
      for (let i = 0; i < objects.length; i += REMOVED_AT_ONCE) {
        const Delete = { Objects: objects.slice(i, i + REMOVED_AT_ONCE), Quiet: true }
        const { Errors: [failed] = [] } = await ask(({ s3, client }, limits) =>
          client.send(new s3.DeleteObjectsCommand({ Bucket: bucket, Delete }), limits),
        )
        if (failed) throw new CodeStoreError(`s3://${bucket}/${folder}: a picture stays (${failed.Code})`)
      }
    },
    list,
    url: urlUnder(cdn),
    close: () => client?.destroy(),
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from './cleanup.ts'

/** An S3-compatible object store on the loopback interface, with one empty bucket. */
export interface S3Server {
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly credentials: { accessKeyId: string; secretAccessKey: string }
  /** Settings for a gateway that uses it. */
  readonly env: {
    AWS_ENDPOINT_URL_S3: string
    AWS_REGION: string
    AWS_ACCESS_KEY_ID: string
    AWS_SECRET_ACCESS_KEY: string
  }
  stop(): Promise<void>
}

/** The only valid credentials. */
const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }
const region = 'us-east-1'

export const startS3 = async (): Promise<S3Server> => {
  const bucket = 'codes'
  const directory = await mkdtemp(join(tmpdir(), 'saoma-s3-'))
  // Loaded on demand: it would delay the start of every other test.
  const { default: S3rver } = await import('s3rver')
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: bucket, configs: [] }],
  })
  const stop = async () => {
    forget()
    await server.close()
    await rm(directory, { recursive: true, force: true })
  }
  const forget = onCleanup(stop)
  const { port } = await server.run()
  const endpoint = `http://127.0.0.1:${port}`
  return {
    endpoint,
    region,
    bucket,
    credentials,
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    stop,
  }
}

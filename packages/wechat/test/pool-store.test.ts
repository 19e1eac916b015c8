import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup, startS3 } from '@saoma/testing'
import { type CodeStore, CodeStoreError, createFolderStore, createS3Store, openCodeStore } from '../src/index.ts'
import { addressingOf } from '../src/pool/s3-store.ts'
import { picture } from './pool-fixtures.ts'

const server = await startS3()
const { endpoint, region, bucket, credentials } = server
const base = await mkdtemp(join(tmpdir(), 'saoma-codes-'))
onCleanup(() => rm(base, { recursive: true, force: true }))

const cdn = 'https://cdn.example/codes/'
const type = 'image/jpeg'
let stores = 0
const bucketStore = (options: Partial<Parameters<typeof createS3Store>[0]> = {}) => {
  const store = createS3Store({ bucket, endpoint, region, credentials, ...options })
  onCleanup(() => store.close())
  return store
}
const keysOf = async (store: CodeStore): Promise<string[]> => {
  const keys: string[] = []
  for await (const key of store.list()) keys.push(key)
  return keys.sort()
}

describe.each([
  ['a folder', (name: string) => createFolderStore(join(base, name), { cdn })],
  ['a bucket', (name: string) => bucketStore({ prefix: name, cdn, perPage: 7 })],
])('%s', (_, open) => {
  let store: CodeStore
  let name: string
  beforeEach(() => {
    name = `store-${++stores}`
    store = open(name)
  })

  test('[P26] gives back what was put there to everybody who opens it', async () => {
    expect(await store.id()).toBeUndefined()
    await store.found('the id')
    expect([await store.id(), await open(name).id()]).toEqual(['the id', 'the id'])
    await store.put('a.jpg', picture, type)
    expect(await store.get('a.jpg')).toEqual(picture)
    expect(await open(name).get('a.jpg')).toEqual(picture)
    const other = open(`${name}-other`)
    await other.put('b.jpg', picture, type)
    expect(await other.get('a.jpg')).toBeUndefined()
  })

  test('is no error when it is empty or missing', async () => {
    await store.check()
    expect(await keysOf(store)).toEqual([])
    await store.remove(['a.jpg'])
    await store.remove([])
    await store.found('the id')
    await store.put('a.jpg', picture, type)
    expect(await keysOf(store)).toEqual(['a.jpg'])
    await store.remove(['a.jpg'])
    expect(await store.get('a.jpg')).toBeUndefined()
  })

  test('lists all pictures, however many a bucket gives at once', async () => {
    const keys = Array.from({ length: 30 }, (_, i) => `${10_000 + i}.png`)
    await Promise.all(keys.map((key) => store.put(key, picture, 'image/png')))
    expect(await keysOf(store)).toEqual(keys)
    await store.remove(keys.slice(1, 21))
    expect(await keysOf(store)).toEqual(keys.toSpliced(1, 20))
  })

  test('removes what is there and ignores what is not', async () => {
    await store.put('a.jpg', picture, type)
    await store.put('b.jpg', picture, type)
    await store.remove(['a.jpg', 'none.jpg'])
    expect(await keysOf(store)).toEqual(['b.jpg'])
  })

  test('[P26] takes no key that leads elsewhere', async () => {
    for (const key of ['', '.', '..', '../a', 'a/b', '.hidden', 'a\\b', 'a b', 'a\0', 'a'.repeat(65)]) {
      expect(() => store.url(key)).toThrow(TypeError)
      await expect((async () => store.get(key))()).rejects.toThrow(TypeError)
      await expect((async () => store.put(key, picture, type))()).rejects.toThrow(TypeError)
      await expect((async () => store.remove([key]))()).rejects.toThrow(TypeError)
    }
  })

  test('gives the address of a picture for browsers', () => {
    expect(store.url('a.jpg')).toBe('https://cdn.example/codes/a.jpg')
  })
})

test('[P26] a folder replaces a picture as a whole: a reader sees the old or the new one', async () => {
  const store = createFolderStore(join(base, 'whole'))
  const large = [1, 2].map((byte) => Buffer.alloc(300_000, byte))
  const [old = picture, young = picture] = large
  await store.put('a.jpg', old, type)
  const [seen] = await Promise.all([
    Promise.all(Array.from({ length: 20 }, () => store.get('a.jpg'))),
    store.put('a.jpg', young, type),
  ])
  for (const bytes of seen) expect(large.some((one) => bytes?.equals(one))).toBe(true)
  expect(await store.get('a.jpg')).toEqual(young)
})

test('[P26] a folder shows no half-written picture and leaves no draft behind', async () => {
  const folder = join(base, 'drafts')
  const store = createFolderStore(folder)
  await store.put('a.jpg', picture, type)
  await writeFile(join(folder, '.draft'), 'half')
  expect(await keysOf(store)).toEqual(['a.jpg'])
  expect((await readdir(folder)).sort()).toEqual(['.draft', '.saoma-pool', 'a.jpg'])
})

test('[P26] a moved or replaced folder has lost no picture: it cannot be asked', async () => {
  const folder = join(base, 'mounted')
  const store = createFolderStore(folder)
  await store.put('a.jpg', picture, type)
  await rename(folder, `${folder}.away`)
  for (const isThere of [false, true]) {
    if (isThere) await mkdir(folder)
    await expect(store.get('a.jpg')).rejects.toThrow(CodeStoreError)
    await expect(store.put('b.jpg', picture, type)).rejects.toThrow(CodeStoreError)
  }
  await rename(`${folder}.away`, folder)
  expect(await store.get('a.jpg')).toEqual(picture)
  expect(await store.get('b.jpg')).toBeUndefined()
})

test('[P26] an empty folder of a missing mount is refused, and a missing folder is made', async () => {
  const folder = join(base, 'unmounted')
  await createFolderStore(folder).put('a.jpg', picture, type)
  await rename(folder, `${folder}.disk`)
  await mkdir(folder)
  const store = createFolderStore(folder)
  await store.check()
  await expect(store.put('b.jpg', picture, type)).rejects.toThrow(/is the disk mounted\?$/)
  await expect(store.get('a.jpg')).rejects.toThrow(CodeStoreError)
  expect(await readdir(folder)).toEqual([])
})

test('an unusable folder gives the reason as a wrong setting', async () => {
  await writeFile(join(base, 'file'), '')
  for (const place of ['file', 'file/below'])
    await expect(createFolderStore(join(base, place)).check()).rejects.toMatchObject({
      isSetting: true,
      message: `${join(base, place)}: this is no folder`,
    })
})

test('a picture in a bucket has its type and is marked as immutable', async () => {
  await bucketStore({ prefix: 'head' }).put('a.png', picture, 'image/png')
  const s3 = await import('@aws-sdk/client-s3')
  const client = new s3.S3Client({ endpoint, region, credentials, forcePathStyle: true })
  onCleanup(() => client.destroy())
  const head = await client.send(new s3.HeadObjectCommand({ Bucket: bucket, Key: 'head/a.png' }))
  expect(head).toMatchObject({ ContentType: 'image/png', CacheControl: 'public, max-age=31536000, immutable' })
})

const serve = async (listener: RequestListener): Promise<string> => {
  const answering = createServer(listener)
  await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve))
  onCleanup(() => {
    answering.closeAllConnections()
    answering.close()
  })
  return `http://127.0.0.1:${(answering.address() as AddressInfo).port}`
}

// Not every store that speaks S3 knows them.
test('a picture is deleted from a bucket without a checksum', async () => {
  const asked: string[] = []
  const store = bucketStore({
    endpoint: await serve(({ method, url = '', headers }, res) => {
      const sums = Object.keys(headers).filter((name) => /md5|checksum/.test(name))
      asked.push(`${method} ${new URL(url, 'http://x').pathname} ${sums}`)
      res.writeHead(204).end()
    }),
  })
  await store.remove(['a.jpg', 'b.jpg'])
  expect(asked.toSorted()).toEqual([`DELETE /${bucket}/a.jpg `, `DELETE /${bucket}/b.jpg `])
})

test('a bucket is named in the path, or in the host where a cloud requires it', () => {
  for (const own of [
    'http://127.0.0.1:9000',
    'http://minio:9000',
    'https://s3.example.com',
    'https://myqcloud.com.example',
  ])
    expect([own, addressingOf(own)]).toEqual([own, 'path'])
  for (const cloud of [
    undefined,
    'https://s3.eu-central-1.amazonaws.com',
    'https://s3.cn-north-1.amazonaws.com.cn',
    'https://cos.ap-shanghai.myqcloud.com',
    'https://s3.oss-cn-hangzhou.aliyuncs.com',
    'https://obs.cn-north-4.myhuaweicloud.com',
    'https://obs.eu-west-101.myhuaweicloud.eu',
    'https://tos-s3-cn-beijing.volces.com',
    'https://tos-s3-cn-beijing.ivolces.com',
  ])
    expect([cloud, addressingOf(cloud)]).toEqual([cloud, 'virtual-hosted'])
})

// Without AWS_ENDPOINT_URL_S3 that is a wrong setting.
test('a bucket with a domain of its own is not named in requests', async () => {
  const asked: string[] = []
  const endpoint = await serve((req, res) => {
    asked.push(`${req.method} ${req.url}`)
    if (req.url?.startsWith('/?')) res.end('<ListBucketResult></ListBucketResult>')
    else if (req.method === 'GET') res.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
    else res.end()
  })
  const store = bucketStore({ endpoint, prefix: 'pictures', addressing: 'domain' })
  await store.check()
  await store.put('a.jpg', picture, type)
  expect(await store.get('a.jpg')).toBeUndefined()
  await store.remove(['a.jpg'])
  expect(asked.map((line) => line.replace(/\?.*/, ''))).toEqual([
    'GET /',
    'PUT /pictures/a.jpg',
    'GET /pictures/a.jpg',
    'DELETE /pictures/a.jpg',
  ])
  expect(() => createS3Store({ bucket, addressing: 'domain' })).toThrow(/set AWS_ENDPOINT_URL_S3$/)
})

test.each(['SecondLevelDomainForbidden', 'PathStyleDomainForbidden', 'VirtualHostDomainRequired', 'InvalidPathAccess'])(
  'a cloud that takes no bucket in the path (%s) gives an error naming the setting',
  async (code) => {
    const endpoint = await serve((_, res) => void res.writeHead(403).end(`<Error><Code>${code}</Code></Error>`))
    const refused = { isSetting: true, message: expect.stringContaining('set SAOMA_POOL_ADDRESSING=virtual-hosted') }
    await expect(bucketStore({ endpoint }).check()).rejects.toMatchObject(refused)
  },
)

test('a bucket that stalls after half an answer is given up in time with a message', async () => {
  const endpoint = await serve((_, res) => void res.writeHead(200, { 'content-length': '1000' }).write('half'))
  await expect(bucketStore({ endpoint, deadlineMs: 100 }).get('a.jpg')).rejects.toThrow(/no answer in time$/)
})

describe('an unusable bucket gives the reason', () => {
  test.each([
    ['no such bucket', { bucket: 'none' }, /^s3:\/\/none\/: there is no such bucket$/],
    ['an unknown key', { credentials: { accessKeyId: 'x', secretAccessKey: 'S3RVER' } }, /AWS_ACCESS_KEY_ID/],
    ['nobody there', { endpoint: 'http://127.0.0.1:9' }, /ECONNREFUSED/],
    ['no region', { region: '' }, /set AWS_REGION$/],
  ])('%s', async (_, options, message) => {
    const store = bucketStore(options)
    await expect(store.put('a.jpg', picture, type)).rejects.toThrow(CodeStoreError)
    await expect(store.get('a.jpg')).rejects.toThrow(message)
    await expect(store.remove(['a.jpg'])).rejects.toThrow(message)
    await expect(keysOf(store)).rejects.toThrow(message)
  })
})

describe('an address', () => {
  test('names a folder, or a bucket with or without a prefix', async () => {
    const folder = join(base, 'address')
    await openCodeStore(folder).put('a.jpg', picture, type)
    expect((await readdir(folder)).sort()).toEqual(['.saoma-pool', 'a.jpg'])
    for (const address of ['s3://codes', 's3://codes/', 's3://codes/some/where'])
      expect(openCodeStore(address, { cdn }).url('a.jpg')).toBe('https://cdn.example/codes/a.jpg')
    expect(openCodeStore(folder).url('a.jpg')).toBeUndefined()
  })

  test.each(['', ' ', 's3://', 's3://B', 's3://codes?x=1', 'https://codes.example', 'file:///tmp'])(
    'is not %j',
    (address) => {
      expect(() => openCodeStore(address)).toThrow(TypeError)
    },
  )

  test.each(['', 'cdn.example', 'ftp://cdn.example', 'https://cdn.example/?a=b'])('has no public place %j', (place) => {
    expect(() => openCodeStore('codes', { cdn: place })).toThrow(TypeError)
  })
})

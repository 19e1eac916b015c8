/**
 * A node as a process, to be killed: fills the pool with the settings in its environment, and prints what it
 * does.
 */
import { createRedis } from '@saoma/redis'
import { createFolderStore, createPool, createPoolStore, createRefill, createWechat } from '../src/index.ts'

const { REDIS_URL = '', PREFIX = '', FOLDER = '', MIN = '', LEASE_MS = '' } = process.env
const { WECHAT_API = '', WECHAT_APPID: appid = '', WECHAT_SECRET: secret = '' } = process.env
const redis = await createRedis({ url: REDIS_URL, prefix: PREFIX })
const pool = createPool(redis, { appid, quarantineMs: 60_000 })
createRefill(
  {
    redis,
    pool,
    store: createPoolStore({ redis, pool, store: createFolderStore(FOLDER) }, appid),
    wechat: createWechat(redis, { appid, secret, api: WECHAT_API, page: 'pages/login/index' }),
    onEvent: ({ kind }) => console.log(kind),
  },
  { appid, nodeId: 'lone', min: Number(MIN), leaseMs: Number(LEASE_MS) },
)

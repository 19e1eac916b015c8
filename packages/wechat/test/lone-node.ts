/** A node as a process, to be killed: draws one code with the settings in its environment. */
import { createRedis } from '@saoma/redis'
import { createWechat } from '../src/index.ts'

const { REDIS_URL = '', PREFIX = '', WECHAT_API = '', WECHAT_APPID = '', WECHAT_SECRET = '' } = process.env
const redis = await createRedis({ url: REDIS_URL, prefix: PREFIX })
const wechat = createWechat(redis, {
  appid: WECHAT_APPID,
  secret: WECHAT_SECRET,
  api: WECHAT_API,
  page: 'pages/login/index',
  timeoutMs: 1_000,
})
await wechat.codeImage('a')
await redis.close()

import { randomBytes } from 'node:crypto'

/** WeChat writes `encoding` where other servers write `charset`. */
export const JSON_TYPE = 'application/json; encoding=utf-8'

/** WeChat's error texts by errcode, as far as they are known. A fault can return any of them. */
export const errors: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  40001:
    'invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40029: 'invalid code',
  40037: 'invalid template_id',
  40066: 'invalid url',
  40097: 'invalid args',
  40125: 'invalid appsecret',
  40129: 'invalid scene',
  40163: 'code been used',
  40164: 'invalid ip 203.0.113.7, not in whitelist',
  40165: 'invalid weapp pagepath',
  40169: 'invalid length for scene, or the data is not json string',
  40212: 'invalid query',
  40226: 'code blocked',
  40243: 'AppSecret is frozen',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41008: 'missing code',
  41030: 'invalid page',
  42001: 'access_token expired',
  43001: 'require GET method',
  43002: 'require POST method',
  43003: 'require https',
  43101: 'user refuse to accept the msg',
  44002: 'empty post data',
  44990: 'reach max api second frequence limit',
  44993: 'reach max api day frequence limit',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  45035: 'clientip not registered',
  45063: 'api limit',
  47001: 'data format error',
  47003: 'argument invalid!',
  48001: 'api unauthorized',
  48004: 'api forbidden for irregularities',
  48006: 'clear_quota exhausted',
  50002: 'user limited',
  50004: 'token api forbidden',
  50007: 'account is frozen',
  61004: 'clientip not registered',
  76003: 'invalid cgi_path',
  76021: 'cgi_path not found, please check',
  76022: 'could not use this cgi_path, no permission',
  85079: 'miniprogram has no online release',
  85096: 'not allow include scancode_time field',
  85401: 'time limit between 1min and 1year',
  89503: 'ip needs to be confirmed by admin',
  89506: 'ip refused by admin',
  89507: 'ip refused by admin for one hour',
}

/**
 * An error body: the text, and an id for WeChat's support. The id's first group is the time, in hexadecimal
 * seconds.
 */
export const errorBody = (errcode: number, nowMs: number): { errcode: number; errmsg: string } => {
  const seconds = Math.floor(nowMs / 1000).toString(16)
  const [first, second] = [randomBytes(4), randomBytes(4)].map((bytes) => bytes.toString('hex'))
  return { errcode, errmsg: `${errors[errcode] ?? 'unknown error'} rid: ${seconds}-${first}-${second}` }
}

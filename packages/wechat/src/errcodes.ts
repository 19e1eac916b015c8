/**
 * Our reaction to a refusal. `retry`: it is temporary. `refresh`: the access token is no longer valid.
 * `unavailable`: it lasts longer than one request. `rejected`: the person or their code is at fault.
 * `misconfigured`: we are at fault.
 */
export type Remedy = 'retry' | 'refresh' | 'unavailable' | 'rejected' | 'misconfigured'

export interface Errcode {
  remedy: Remedy
  /** A sentence for the operator. */
  say: string
}

/** All known errcodes of the endpoints in use. */
export const errcodes: Readonly<Record<number, Errcode>> = {
  [-1]: { remedy: 'retry', say: 'WeChat is busy' },
  44990: { remedy: 'retry', say: 'more than 100 links in one second' },

  40001: { remedy: 'refresh', say: 'the access token is not the latest, or the app secret is wrong' },
  40014: { remedy: 'refresh', say: 'the access token is malformed' },
  42001: { remedy: 'refresh', say: 'the access token has expired' },

  40003: { remedy: 'rejected', say: 'this app does not know the person' },
  40029: { remedy: 'rejected', say: 'the code is not valid or older than five minutes' },
  40163: { remedy: 'rejected', say: 'the login code has been used' },
  40226: { remedy: 'rejected', say: 'WeChat blocks this person as a risk' },
  41008: { remedy: 'rejected', say: 'the login code is missing' },
  43101: { remedy: 'rejected', say: 'the person takes no message of this kind now' },

  44993: { remedy: 'unavailable', say: 'too many calls of this API today' },
  45009: { remedy: 'unavailable', say: 'the quota of this API is used up' },
  45011: { remedy: 'unavailable', say: 'too many calls in this minute' },
  45063: { remedy: 'unavailable', say: 'WeChat does not draw more codes for this app at the moment' },
  48006: { remedy: 'unavailable', say: 'the quota cannot be cleared again this month' },

  40002: { remedy: 'misconfigured', say: 'WeChat does not know this grant type, or this app may not make links' },
  40013: { remedy: 'misconfigured', say: 'the app id is wrong' },
  40037: { remedy: 'misconfigured', say: 'the app has no such template: check WECHAT_LOGIN_TEMPLATE' },
  40066: { remedy: 'misconfigured', say: 'this address is not one of the WeChat API: check WECHAT_API' },
  40097: { remedy: 'misconfigured', say: 'WeChat does not accept an argument' },
  40125: { remedy: 'misconfigured', say: 'the app secret is wrong' },
  40129: { remedy: 'misconfigured', say: 'the scene holds characters that WeChat does not accept' },
  40164: { remedy: 'misconfigured', say: 'the address of this server is not on the IP whitelist of the app' },
  40165: { remedy: 'misconfigured', say: 'the page of the link is not in the published release: check WECHAT_PAGE' },
  40169: { remedy: 'misconfigured', say: 'the scene is empty or longer than 32 characters' },
  40212: { remedy: 'misconfigured', say: 'WeChat does not accept the query of the link' },
  40243: { remedy: 'misconfigured', say: 'the app secret is frozen' },
  41001: { remedy: 'misconfigured', say: 'the access token is missing' },
  41002: { remedy: 'misconfigured', say: 'the app id is missing' },
  41004: { remedy: 'misconfigured', say: 'the app secret is missing' },
  41030: { remedy: 'misconfigured', say: 'the page is not in the published release: check WECHAT_PAGE' },
  43001: { remedy: 'misconfigured', say: 'WeChat requires GET for this API' },
  43002: { remedy: 'misconfigured', say: 'WeChat requires POST for this API' },
  43003: { remedy: 'misconfigured', say: 'WeChat requires https: check WECHAT_API' },
  44002: { remedy: 'misconfigured', say: 'WeChat got an empty body' },
  45035: { remedy: 'misconfigured', say: 'the address of this server is not registered with the app' },
  47001: { remedy: 'misconfigured', say: 'WeChat does not accept the form of the request' },
  47003: { remedy: 'misconfigured', say: 'the template has other fields: check WECHAT_LOGIN_TEMPLATE' },
  48001: { remedy: 'misconfigured', say: 'the app has no right to this API' },
  48004: { remedy: 'misconfigured', say: 'the app lost its right to this API for breaking rules' },
  50002: { remedy: 'misconfigured', say: 'the account of the app is restricted' },
  50004: { remedy: 'misconfigured', say: 'the app may not fetch access tokens' },
  50007: { remedy: 'misconfigured', say: 'the account of the app is frozen' },
  61004: { remedy: 'misconfigured', say: 'the address of this server is not registered with the app' },
  76003: { remedy: 'misconfigured', say: 'WeChat does not accept the path of an API' },
  76021: { remedy: 'misconfigured', say: 'WeChat does not know this path of an API' },
  76022: { remedy: 'misconfigured', say: 'the app may not ask about the quota of this API' },
  85079: { remedy: 'misconfigured', say: 'the app has no published release, so no link can lead to it' },
  85096: { remedy: 'misconfigured', say: 'the page must not contain scancode_time' },
  85401: {
    remedy: 'misconfigured',
    say: 'the life of the link is too short or too long: check the clock of this server',
  },
  89503: { remedy: 'misconfigured', say: 'an administrator of the app has to confirm the address of this server' },
  89506: {
    remedy: 'misconfigured',
    say: 'an administrator of the app refused the address of this server for 24 hours',
  },
  89507: {
    remedy: 'misconfigured',
    say: 'an administrator of the app refused the address of this server for one hour',
  },
}

/** An undocumented errcode. It may be temporary, and the failure contains its number. */
const unknown: Errcode = { remedy: 'unavailable', say: 'WeChat refuses for an unknown reason' }

export const lookUp = (errcode: number): Errcode => errcodes[errcode] ?? unknown

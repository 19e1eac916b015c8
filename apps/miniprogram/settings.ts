import { loginPage } from './sources.ts'

/** What a package is built for. */
export interface Settings {
  /**
   * Of the Saoma server: SAOMA_ORIGIN. A phone takes https only; the developer tools take any once told not
   * to check domains.
   */
  origin: string
  /** Path of the page that confirms a login, the server's WECHAT_PAGE: SAOMA_PAGE. */
  page: string
  /**
   * Demo account to be, where the developer tools have nobody to log in: SAOMA_PERSON. Empty: who WeChat
   * says.
   */
  person: string
  /** Appid of the mini-program, if it is one of the server's WECHAT_APPS: SAOMA_APP. Empty: the first one. */
  app: string
  /**
   * Whether people are asked for their phone number by WeChat's button: SAOMA_PHONE_NUMBER. Each press costs
   * the operator money, and the mini-program's privacy agreement has to list the number.
   */
  phoneNumber: boolean
  /**
   * Id of the template of the message about a request to log in, the first word of the server's
   * WECHAT_LOGIN_TEMPLATE: SAOMA_LOGIN_TEMPLATE. Empty: nobody is asked for a consent.
   */
  loginTemplate: string
}

const DEVELOPER_ORIGIN = 'http://127.0.0.1:8080'
const PAGE_PATH = /^[\w-]+(\/[\w-]+)+$/

/**
 * Throws for what cannot work on a phone, where nobody would see why.
 *
 * @param publish  also for what would work in the developer tools alone
 */
export const readSettings = (env: NodeJS.ProcessEnv, publish: boolean): Settings => {
  const { SAOMA_ORIGIN: origin = DEVELOPER_ORIGIN, SAOMA_PAGE: page = loginPage, SAOMA_PERSON: person = '' } = env
  const { SAOMA_APP: app = '', SAOMA_PHONE_NUMBER: asks = 'off', SAOMA_LOGIN_TEMPLATE: loginTemplate = '' } = env
  if (!/^https?:/.test(origin) || !URL.canParse(origin) || new URL(origin).origin !== origin)
    throw new Error(`SAOMA_ORIGIN is ${origin}, which is not an origin like https://login.example.com.`)
  if (!PAGE_PATH.test(page)) throw new Error(`SAOMA_PAGE is ${page}, which is not the path of a page.`)
  if (publish && !origin.startsWith('https:'))
    throw new Error(`SAOMA_ORIGIN is ${origin}, and the phones of others take https only.`)
  if (publish && person !== '') throw new Error(`SAOMA_PERSON is ${person}, and everybody would be that demo account.`)
  if (!/^[\w-]{0,64}$/.test(app)) throw new Error(`SAOMA_APP is ${app}, which is not an appid.`)
  if (asks !== 'off' && asks !== 'ask') throw new Error(`SAOMA_PHONE_NUMBER is ${asks}, which is neither off nor ask.`)
  if (!/^([\w-]{20,64})?$/.test(loginTemplate))
    throw new Error(`SAOMA_LOGIN_TEMPLATE is ${loginTemplate}, which is not the id of a template.`)
  return { origin, page, person, app, phoneNumber: asks === 'ask', loginTemplate }
}

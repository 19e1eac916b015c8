import * as v from 'valibot'
import { isWebAddress } from '../access/web-address.ts'

/* Settings that hold addresses. */

export const origin = v.pipe(
  v.string(),
  v.check(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    'must be an origin such as https://login.example.com',
  ),
)
/**
 * Origins of pages inside applications: Capacitor, Ionic, Tauri, Electron, browser extensions. Node's URL
 * class yields no origin for their schemes.
 */
const APP_ORIGIN = /^(?!https?:|file:|data:|blob:)[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._-]+(:\d{1,5})?$/
/** `null` is not accepted: every sandboxed frame and every local file has it. */
export const pageOrigin = v.pipe(
  v.string(),
  v.check(
    (text) => APP_ORIGIN.test(text) || v.is(origin, text),
    'must hold origins such as https://www.example.com or capacitor://localhost, without a path, separated by commas',
  ),
)
export const webAddress = v.pipe(
  v.string(),
  v.check(isWebAddress, 'must be a URL such as https://shop.example.com/auth, without a user'),
)

export const codeStore = v.pipe(
  v.string(),
  v.regex(
    /^([/.].*|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9_./-]*)?)$/,
    'must be a folder (it begins with / or .) or s3://bucket/prefix',
  ),
)
export const publicPlace = v.pipe(
  v.string(),
  v.check((text) => {
    const { search, hash } = URL.parse(text) ?? {}
    return isWebAddress(text) && search === '' && hash === ''
  }, 'must be a URL such as https://cdn.example.com/codes, without a query'),
)

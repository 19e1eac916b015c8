import { readSettings } from '../settings.ts'
import { findSources } from '../sources.ts'

test('without settings it is built for the developer tools on this machine', () => {
  expect(readSettings({}, false)).toEqual({
    origin: 'http://127.0.0.1:8080',
    page: 'pages/login/index',
    person: '',
    app: '',
    phoneNumber: false,
    loginTemplate: '',
  })
})

test.each([
  { SAOMA_ORIGIN: '' },
  { SAOMA_ORIGIN: 'login.example.com' },
  { SAOMA_ORIGIN: 'htps://login.example.com' },
  { SAOMA_ORIGIN: 'wss://login.example.com' },
  { SAOMA_ORIGIN: 'https://login.example.com/' },
  { SAOMA_ORIGIN: 'https://login.example.com/saoma' },
  { SAOMA_PAGE: '' },
  { SAOMA_PAGE: 'index' },
  { SAOMA_PAGE: '/pages/login/index' },
  { SAOMA_PAGE: '../pages/login' },
  { SAOMA_APP: 'wx 2' },
  { SAOMA_PHONE_NUMBER: 'yes' },
  { SAOMA_LOGIN_TEMPLATE: 'short' },
  { SAOMA_LOGIN_TEMPLATE: 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde thing1=app' },
])('nothing is built for %j', (env) => {
  expect(() => readSettings(env, false)).toThrow(Object.keys(env)[0])
})

test('the login page replaces no other page', () => {
  expect(() => findSources('pages/devices/index')).toThrow('SAOMA_PAGE')
})

const published = { SAOMA_ORIGIN: 'https://login.example.com' }

test.each([
  ['to the machine it was built on', {}, 'SAOMA_ORIGIN'],
  ['into a demo account', { ...published, SAOMA_PERSON: 'Li Lei' }, 'SAOMA_PERSON'],
])('a setting that would lead everybody %s is not published', (_, env, name) => {
  expect(() => readSettings(env, true)).toThrow(name)
})

test('a setting that works for others is published', () => {
  const loginTemplate = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde'
  const settings = { SAOMA_APP: 'wx2', SAOMA_PHONE_NUMBER: 'ask', SAOMA_LOGIN_TEMPLATE: loginTemplate }
  expect(readSettings({ ...published, ...settings }, true)).toEqual({
    origin: published.SAOMA_ORIGIN,
    page: 'pages/login/index',
    person: '',
    app: 'wx2',
    phoneNumber: true,
    loginTemplate,
  })
})

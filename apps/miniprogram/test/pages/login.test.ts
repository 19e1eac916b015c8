/** @jest-environment jsdom */
import type { LoginScreen, Question, Warning } from '../../src/logic/login-screen.ts'
import { en } from '../../src/logic/words-en.ts'
import { zh } from '../../src/logic/words-zh.ts'
import { buildPackage, loadPage } from './stage.ts'

const open = loadPage<LoginScreen>(buildPackage(), 'pages/login/index', 'login')
const words = zh.login
const scene = 'AAAAAAAAAAAAAAAAAAAAAA'

const question = (given: Partial<Question> = {}): Question => ({
  ticket: scene,
  request: {
    app: 'Shop <b>1</b>',
    ip: '203.0.113.7',
    browser: 'Firefox 140',
    os: 'Windows',
    requestedAt: new Date().toISOString(),
    userCode: 'BCDF-GHJK',
  },
  sameNetwork: false,
  verification: 'tap',
  warning: undefined,
  until: Date.now() + 60_000,
  ...given,
})

it('passes the scene and the way in of a scan on', () => {
  const page = open({ screen: { status: 'opening' }, query: { scene }, launchScene: 1049 })
  expect(page.calls).toContainEqual(['open', { scene, launchScene: 1049 }])
  expect(page.text()).toBe(words.opening)
  page.close()
  expect(page.calls.at(-1)).toEqual(['close'])
})

describe('the phone number', () => {
  it('is asked for by WeChat’s own button, and the way on without it is as large', async () => {
    const page = open({ screen: { status: 'number' } })
    expect(page.text()).toBe(`${words.number}${words.numberHint}${words.numberGive}${words.numberSkip}`)
    const buttons = [...page.dom.querySelectorAll('wx-button')]
    expect(buttons.map(({ className }) => /--size-large/.test(className) && /--block/.test(className))).toEqual([
      true,
      true,
    ])
    expect(page.rendered.querySelector('.give')?.data).toMatchObject({ openType: 'getPhoneNumber' })
    const detail = { code: 'a code of the button', errMsg: 'getPhoneNumber:ok' }
    page.send('.give', 'getphonenumber', detail)
    await page.tap('.skip')
    expect(page.calls.slice(-2)).toEqual([['giveNumber', detail], ['skipNumber']])
    page.close()
  })

  it('is asked for alone when another page needs it', () => {
    const page = open({ screen: { status: 'number' }, query: { asks: 'number' } })
    expect(page.calls).toContainEqual(['ask', expect.any(Function)])
    expect(page.calls.map(([name]) => name)).not.toContain('open')
    page.close()
  })

  it('is told to be missing beside the question, which goes on', () => {
    const page = open({ screen: { status: 'asking', question: question({ numberLost: true }) } })
    expect(page.text('.notice')).toBe(words.numberLost)
    expect(page.text('.decide')).toBe(`${words.decline}${words.confirm}`)
    page.close()
    const usual = open({ screen: { status: 'asking', question: question() } })
    expect(usual.count('.notice')).toBe(0)
    usual.close()
  })
})

describe('what applications have sent', () => {
  const waiting = { ticket: scene, client: 'desk', app: 'Front <b>desk</b>', requestedAt: new Date().toISOString() }

  it('stands above the way to scan, and a tap opens one', async () => {
    const requests = [{ ...waiting, message: 'Desk 4', expiresIn: 60 }]
    const page = open({ screen: { status: 'no-code', requests } })
    expect(page.text()).toMatch(new RegExp(`^${words.waiting}Front <b>desk</b>Desk 4 · 刚刚${words.howTo}`))
    await page.touch('.request')
    expect(page.calls.at(-1)).toEqual(['openRequest', scene])
    page.show({ status: 'no-code', requests: [] })
    expect(page.text()).not.toContain(words.waiting)
    page.close()
  })

  it('is asked about without the address of its server, and the person may say: this was not me', async () => {
    const request = { ...question().request, userCode: '', pushed: { message: 'Desk 4' } }
    const screen = { status: 'asking', question: question({ request, isListed: true }) } as const
    const page = open({ screen })
    expect(page.text()).toContain('Desk 4')
    expect(page.text('.caution')).toBe(words.pushedCaution)
    for (const part of ['203.0.113.7', 'Firefox', 'Windows']) expect(page.text()).not.toContain(part)
    await page.tap('.not-me')
    expect(page.calls.at(-1)).toEqual(['report'])
    page.show({ ...screen, question: question({ request: { ...request, pushed: {} }, isListed: true }) })
    expect(page.count('.compare')).toBe(0)
    page.close()
    const scanned = open({ screen: { status: 'asking', question: question() } })
    expect(scanned.count('.not-me')).toBe(0)
    scanned.close()
  })

  it('may come with a message of WeChat, which is asked for on a tap after a login', async () => {
    const page = open({ screen: { status: 'confirmed', messages: 'offered' } })
    expect(page.text()).toContain(`${words.tellMe}${words.tellMeHint}`)
    await page.tap('.tell')
    expect(page.calls.at(-1)).toEqual(['agree'])
    page.show({ status: 'confirmed', messages: 'agreed' })
    expect([page.count('.tell'), page.text('.told')]).toEqual([0, words.willTell])
    page.show({ status: 'confirmed' })
    expect([page.count('.tell'), page.count('.told')]).toEqual([0, 0])
    page.close()
  })
})

describe('the question', () => {
  it('says that a device asks, whose it is, and what it would get', () => {
    const { request } = question()
    const asked = (party: 'first' | 'third') =>
      question({ request: { ...request, browser: '', application: { party, scopes: ['openid', 'phone', 'new'] } } })
    const page = open({ screen: { status: 'asking', question: asked('third') } })
    const { openid, phone } = words.scopes
    expect(page.text('.foreign')).toBe(`Shop <b>1</b> 不属于本公司。它将获得：${openid}${phone}new`)
    expect(page.text('.caution')).toBe(words.deviceCaution)
    expect(page.text()).toContain(words.noBrowser)
    page.close()
    const own = open({ screen: { status: 'asking', question: asked('first') } })
    expect(own.count('.foreign')).toBe(0)
    expect(own.text('.caution')).toBe(words.deviceCaution)
    own.close()
  })

  it('shows who asks, from where, since when, and what to compare', () => {
    const page = open({ screen: { status: 'asking', question: question() } })
    for (const part of [
      '登录 Shop <b>1</b>？',
      '203.0.113.7',
      'Firefox 140',
      'Windows',
      '刚刚',
      'BCDF-GHJK',
      words.caution,
    ])
      expect(page.text()).toContain(part)
    expect(page.text('.left')).toMatch(/^还剩 (60|59) 秒$/)
    expect(page.count('.warning')).toBe(0)
    page.close()
  })

  it('asks for the number of the other screen, and sends it with the yes', async () => {
    const screen = { status: 'asking', question: question({ verification: 'number' }) } as const
    const page = open({ screen })
    expect(page.text()).toContain(words.digits)
    const isOff = () => page.rendered.querySelector('.confirm')?.data as { disabled: boolean }
    expect(isOff().disabled).toBe(true)
    page.send('.number', 'change', { value: '47' })
    expect(isOff().disabled).toBe(false)
    await page.tap('.confirm')
    expect(page.calls.at(-1)).toEqual(['confirm', '47'])
    page.show({ ...screen, error: 'VERIFICATION_WRONG', left: 2 })
    expect(page.text('.error')).toBe(words.digitsWrong.replace('{n}', '2'))
    page.close()
  })

  it.each([
    ['refused', words.refused, words.refusedHint, words.devices],
    ['elsewhere', words.elsewhere, words.elsewhereHint, zh.retry],
  ] as const)('says what is to be done when it is %s', (status, title, hint, label) => {
    const page = open({ screen: { status } })
    expect(page.text()).toBe(`${title}${hint}${label}`)
    page.close()
  })

  it('shows unknown where the server knows nothing', () => {
    const request = { ...question().request, ip: '', browser: '', os: '' }
    const page = open({ screen: { status: 'asking', question: question({ request }) } })
    expect(page.text().split(zh.unknown)).toHaveLength(4)
    page.close()
  })

  it('offers to decline first, on a button no smaller than the other', () => {
    const page = open({ screen: { status: 'asking', question: question() } })
    expect(page.text('.decide')).toBe(`${words.decline}${words.confirm}`)
    const looks = [...page.dom.querySelectorAll('wx-button')].map(({ className }) => className)
    expect(looks).toHaveLength(2)
    for (const look of looks) {
      expect(look).toContain('--size-large')
      expect(look).toContain('--block')
      expect(look).toContain('--base')
    }
    page.close()
  })

  it.each<Warning>(['album', 'long-press', 'forwarded', 'link-elsewhere', 'typed'])(
    'warns first of a code that came by %s, and confirming is then the paler choice',
    (warning) => {
      const page = open({ screen: { status: 'asking', question: question({ warning }) } })
      expect(page.text('.warning')).toBe(words.warnings[warning])
      expect(page.text().startsWith(words.warnings[warning])).toBe(true)
      const [decline, confirm] = [...page.dom.querySelectorAll('wx-button')].map(({ className }) => className)
      expect(decline).toContain('--base')
      expect(confirm).toContain('--outline')
      page.close()
    },
  )

  it('mentions a link on the same phone without alarm', () => {
    const page = open({ screen: { status: 'asking', question: question({ warning: 'link', sameNetwork: true }) } })
    expect(page.text('.warning')).toBe(words.warnings.link)
    expect(page.dom.querySelector('[class*="notice-bar--info"]')).not.toBeNull()
    page.close()
  })

  it.each([
    ['decline', '.decline'],
    ['confirm', '.confirm'],
  ])('a tap on %s is the answer', async (answer, button) => {
    const page = open({ screen: { status: 'asking', question: question() } })
    await page.tap(button)
    expect(page.calls.filter(([name]) => name === 'decline' || name === 'confirm')).toEqual([[answer]])
    page.close()
  })

  it('takes no second answer while one is on its way', async () => {
    const page = open({ screen: { status: 'deciding', question: question(), decision: 'confirm' } })
    await page.tap('.decline')
    await page.tap('.confirm')
    expect(page.calls.some(([name]) => name === 'decline' || name === 'confirm')).toBe(false)
    expect(page.text('.left')).toBe(words.deciding)
    page.close()
  })

  it('shows the failure when the answer did not get through', () => {
    const page = open({ screen: { status: 'asking', question: question(), error: 'NETWORK' } })
    expect(page.text('.error')).toBe(zh.codes.NETWORK)
    page.close()
  })

  it('counts down automatically, but not behind another page', () => {
    import.meta.jest.useFakeTimers()
    const page = open({ screen: { status: 'asking', question: question({ until: Date.now() + 60_000 }) } })
    import.meta.jest.advanceTimersByTime(10_000)
    expect(page.text('.left')).toBe('还剩 50 秒')
    page.rendered.triggerPageLifeTime('hide')
    import.meta.jest.advanceTimersByTime(10_000)
    expect(page.text('.left')).toBe('还剩 50 秒')
    page.rendered.triggerPageLifeTime('show')
    import.meta.jest.advanceTimersByTime(1_000)
    expect(page.text('.left')).toBe('还剩 39 秒')
    page.close()
    expect(import.meta.jest.getTimerCount()).toBe(0)
    import.meta.jest.useRealTimers()
  })

  it('is asked in English on a phone that speaks English', () => {
    const page = open({ screen: { status: 'asking', question: question({ warning: 'album' }) }, language: 'en' })
    expect(page.text('.decide')).toBe(`${en.login.decline}${en.login.confirm}`)
    expect(page.text('.warning')).toBe(en.login.warnings.album)
    page.close()
  })
})

describe('the input', () => {
  it('a user code is sent as it was typed', async () => {
    const page = open({ screen: { status: 'no-code' } })
    page.send('.user-code', 'change', { value: 'bcdf-ghjk' })
    await page.tap('.find')
    expect(page.calls.at(-1)).toEqual(['findUserCode', 'bcdf-ghjk'])
    page.show({ status: 'no-code', error: 'TICKET_NOT_FOUND' })
    expect(page.text('.error')).toBe(words.noSuchCode)
    page.close()
  })

  // It is gone when another is asked for.
  it('a user code that was not found can be corrected', () => {
    const page = open({ screen: { status: 'no-code' } })
    page.send('.user-code', 'change', { value: 'BCDFGHJX' })
    page.show({ status: 'opening' })
    page.show({ status: 'no-code', error: 'TICKET_NOT_FOUND' })
    expect(page.rendered.data).toMatchObject({ typed: 'BCDFGHJX' })
    page.show({ status: 'expired' })
    page.show({ status: 'no-code' })
    expect(page.rendered.data).toMatchObject({ typed: '' })
    page.close()
  })

  it('the check number is sent once it has two digits, and a wrong one is reported', async () => {
    const page = open({ screen: { status: 'checking', busy: false } })
    page.send('.check', 'change', { value: '4' })
    await page.tap('.send')
    expect(page.calls.some(([name]) => name === 'giveCheck')).toBe(false)
    page.send('.check', 'change', { value: '47' })
    await page.tap('.send')
    expect(page.calls.at(-1)).toEqual(['giveCheck', '47'])
    page.show({ status: 'checking', busy: false, error: 'CHECK_WRONG' })
    expect(page.text('.error')).toBe(words.checkWrong)
    page.close()
  })

  it('takes no other number during a check', async () => {
    const page = open({ screen: { status: 'checking', busy: true } })
    page.send('.check', 'change', { value: '47' })
    await page.tap('.send')
    expect(page.calls.some(([name]) => name === 'giveCheck')).toBe(false)
    page.close()
  })
})

describe('the end', () => {
  const devices = ['wx.switchTab', { url: '/pages/devices/index' }]
  const another = ['open', { launchScene: 1047 }]
  it.each<[LoginScreen, string, string, unknown[]]>([
    [{ status: 'confirmed' }, words.confirmed, words.confirmedHint, devices],
    [{ status: 'declined' }, words.declined, words.declinedHint, devices],
    [{ status: 'reported' }, words.declined, words.reportedHint, devices],
    [{ status: 'expired' }, words.expired, words.expiredHint, another],
    [{ status: 'taken' }, words.taken, words.takenHint, another],
    [{ status: 'settled' }, words.settled, words.settledHint, another],
    [{ status: 'settled', answered: 'confirm' }, words.settled, words.settledConfirm, devices],
    [{ status: 'settled', answered: 'reject' }, words.settled, words.settledReject, devices],
    [{ status: 'not-found' }, words.notFound, words.notFoundHint, another],
    [{ status: 'failed', code: 'NETWORK', canRetry: true }, words.failed, zh.codes.NETWORK, ['retry']],
    [{ status: 'failed', code: 'nonsense', canRetry: false }, words.failed, zh.codes.other, another],
    [{ status: 'offline' }, words.offline, words.offlineHint, ['retry']],
  ])('%j is shown and leads on', async (screen, title, hint, call) => {
    const page = open({ screen: { status: 'opening' }, query: { scene } })
    page.show(screen)
    expect(page.text()).toContain(title)
    expect(page.text()).toContain(hint)
    expect(page.count('.decide')).toBe(0)
    await page.tap('.action-button')
    expect(page.calls.at(-1)).toEqual(call)
    page.close()
  })
})

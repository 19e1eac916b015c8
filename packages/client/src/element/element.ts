import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { now } from '../core/clock.ts'
import { failureFor } from '../core/request.ts'
import { createLogin, type Login } from '../login/login.ts'
import type { LoginConnection, LoginState } from '../login/login-state.ts'
import type { SaomaLoginEvents } from './events.ts'
import { icons } from './icons.ts'
import { createPhoneLink, type PhoneLink } from './link.ts'
import { isPhone } from './phone.ts'
import { createPicture, type Picture } from './picture.ts'
import { elementStyle } from './style.ts'
import { type ElementText, type Language, languageOf, sayFailure, textIn } from './text.ts'

export type { SaomaLoginEvents } from './events.ts'
export { isPhone } from './phone.ts'

declare global {
  interface HTMLElementTagNameMap {
    'saoma-login': SaomaLogin
  }
}

/** A code appears at once. After this time something is wrong. */
const SLOW_MS = 10_000
/** Properties whose change begins a new login. */
const BEGINS_ANEW = ['origin', 'clientId', 'scope', 'ticket'] as const

/**
 * `<saoma-login origin="https://login.example.com" client-id="web" lang="zh">`: the whole login as one card.
 * Its events bubble. Without `lang` it uses the language of the surrounding page. On a phone a button beside
 * the code opens the app on that phone: `same-phone` is `auto` (the default), `always` or `never`.
 */
export class SaomaLogin extends LitElement {
  static override readonly styles = elementStyle
  static override readonly properties = {
    origin: {},
    clientId: { attribute: 'client-id' },
    scope: {},
    ticket: {},
    lang: {},
    samePhone: { attribute: 'same-phone' },
  }

  // Only declared: a class field would hide the accessors that Lit defines for the properties.
  /** Saoma's origin. @default the page's own origin */
  declare origin: string | undefined
  declare clientId: string | undefined
  declare scope: string | undefined
  /** A confirmed ticket to redeem first; see LoginOptions. */
  declare ticket: string | undefined
  /** Whether the page runs on the phone that would scan. @default 'auto': what `isPhone` says */
  declare samePhone: 'auto' | 'always' | 'never' | undefined

  #login: Login | undefined
  #picture: Picture = createPicture(() => {
    this.requestUpdate()
    const { state } = this.#picture
    if (state.status === 'shown') this.#tell('saoma-picture', { plain: state.plain })
  })
  #link: PhoneLink = createPhoneLink(
    async () => this.#login?.link() ?? failureFor('TICKET_NOT_FOUND'),
    () => this.requestUpdate(),
  )
  #clock: ReturnType<typeof setInterval> | undefined
  /** Since when a code is being requested. */
  #asking = 0

  get state(): LoginState {
    return this.#login?.state ?? { status: 'idle' }
  }

  /** Drops the present code and shows a new one. */
  renew(): void {
    this.#login?.renew()
  }

  /**
   * Renewal by a click. The button disappears with its state, so the focus moves to the sentence that
   * replaces it.
   */
  #renewByHand(): void {
    this.renew()
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('.headline')?.focus())
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#clock = setInterval(() => this.requestUpdate(), 1_000)
    // The element was moved in the page. No property has changed, so Lit would not update.
    this.requestUpdate()
  }

  /**
   * Frameworks insert an element and then set its properties in the same turn. At the first update they are
   * set.
   */
  override updated(changed: PropertyValues<this>): void {
    if (!this.isConnected) return
    if (this.#login) {
      if (!BEGINS_ANEW.some((name) => changed.has(name))) return
      this.#end()
    }
    this.#begin()
  }

  #begin(): void {
    this.#login = createLogin({
      origin: this.origin ?? location.origin,
      ...(this.clientId ? { clientId: this.clientId } : {}),
      ...(this.scope ? { scope: this.scope } : {}),
      ...(this.ticket ? { ticket: this.ticket } : {}),
    })
    this.#login.on('state', (state) => this.#enter(state))
    this.#login.on('connection', () => this.requestUpdate())
    this.#login.start()
  }

  #end(): void {
    this.#login?.close()
    this.#login = undefined
    this.#picture.clear()
    this.#link.clear()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.#clock)
    this.#end()
  }

  #enter(state: LoginState): void {
    if ('qr' in state) this.#picture.show(state.qr)
    if (state.status === 'creating') this.#asking = now()
    this.requestUpdate()
    this.#tell('saoma-state', { state })
    if (state.status === 'done') this.#tell('saoma-login', { tokens: state.tokens })
  }

  get #onPhone(): boolean {
    return this.samePhone === 'always' || (this.samePhone !== 'never' && isPhone())
  }

  /** Only a phone needs the link. A plain code's address is known without a request. */
  #seekLink(): void {
    const { state } = this
    const picture = this.#picture.state
    if (state.status === 'waiting' && picture.status === 'shown' && picture.link && !picture.plain && this.#onPhone)
      this.#link.show(state.ticket)
  }

  #tell(name: keyof SaomaLoginEvents, detail: object): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }))
  }

  get #language(): Language {
    return languageOf(this.lang || this.closest('[lang]')?.getAttribute('lang') || navigator.language)
  }

  override willUpdate(): void {
    this.#seekLink()
  }

  override render(): TemplateResult {
    const say = textIn(this.#language)
    const { state } = this
    const connection = this.#login?.connection ?? 'connecting'
    return html`
      <section class="card ${state.status}" part="card" lang=${this.#language === 'zh' ? 'zh-CN' : 'en'}>
        <div class="frame" part="frame">${this.#frame(state, say)}</div>
        ${'userCode' in state ? this.#check(say) : nothing}
        <p class="headline" part="headline" role="status" aria-live="polite" tabindex="-1">${this.#headline(state, say)}</p>
        <p class="hint">${this.#hint(state, say)}</p>
        ${this.#onPhone ? this.#open(state, say) : nothing}
        ${'userCode' in state ? this.#userCode(state.userCode, say) : nothing}
        ${this.#foot(state, connection, say)} ${this.#onPhone ? nothing : this.#open(state, say)}
        ${this.#action(state, say)}
      </section>
    `
  }

  #frame(state: LoginState, say: ElementText): TemplateResult {
    switch (state.status) {
      case 'waiting':
        return this.#code(say, false)
      case 'scanned':
        return html`${this.#code(say, true)}${over('good', icons.phone)}`
      case 'confirmed':
        return over('good plate spins', icons.spinner)
      case 'done':
        return over('good plate', icons.check)
      case 'rejected':
        return over('bad plate', icons.cross)
      case 'expired':
        return over('warn plate', icons.clock)
      case 'failed':
        return over('warn plate', icons.warning)
      case 'idle':
      case 'creating':
        return over('calm plate spins', icons.spinner)
    }
  }

  #code(say: ElementText, dim: boolean): TemplateResult {
    const picture = this.#picture.state
    if (picture.status === 'shown')
      return html`<img class=${dim ? 'dim' : ''} src=${picture.url} alt=${say.picture} part="picture" />`
    if (dim) return html`<span></span>`
    if (picture.status === 'loading') return over('calm plate spins', icons.spinner)
    // This code has used up its pictures; a new code has not.
    const isSpent = picture.code === 'RATE_LIMITED'
    const act = isSpent ? this.#renewByHand : () => this.#picture.retry()
    return html`<div class="over plate warn">
      <span class="badge">${icons.warning}</span>
      <button class="inside" type="button" @click=${act}>${isSpent ? say.renew : say.pictureAgain}</button>
    </div>`
  }

  #headline(state: LoginState, say: ElementText): string {
    if (state.status === 'failed') return sayFailure(state.code, this.#language)
    if (state.status === 'waiting' && this.#picture.state.status === 'failed') return say.pictureFailed
    return state.status === 'idle' ? say.creating : say[state.status]
  }

  #hint(state: LoginState, say: ElementText): string | typeof nothing {
    if (state.status === 'scanned') return say.onlyIfSame
    if (state.status === 'rejected') return say.nobody
    if (this.#isSlow(state)) return say.slow
    if (state.status === 'failed') return `${say.reason}: ${state.code}`
    if (state.status !== 'waiting') return nothing
    const picture = this.#picture.state
    if (picture.status === 'failed') return sayFailure(picture.code, this.#language)
    if (picture.status === 'loading') return nothing
    if (this.#onPhone && (picture.plain || this.#link.url)) return say.samePhone
    return picture.plain ? say.withCamera : say.withWechat
  }

  /** The number that distinguishes this showing of the code from an earlier one. */
  #check(say: ElementText): TemplateResult | typeof nothing {
    const picture = this.#picture.state
    if (picture.status !== 'shown' || !picture.check) return nothing
    return html`<p class="check" part="check"><strong>${picture.check}</strong> <span>${say.check}</span></p>`
  }

  #userCode(userCode: string, say: ElementText): TemplateResult {
    return html`<p class="code" part="code">
      <span>${say.compare}</span>
      <strong aria-hidden="true">${userCode}</strong>
      <span class="unseen">${spelled(userCode)}</span>
    </p>`
  }

  /** How long the code is valid, or what is wrong with the connection. */
  #foot(state: LoginState, connection: LoginConnection, say: ElementText): TemplateResult | typeof nothing {
    if (!('expiresAt' in state)) return nothing
    if (connection === 'offline') return html`<p class="foot alert">${icons.unplugged} ${say.offline}</p>`
    if (connection === 'reconnecting') return html`<p class="foot alert">${icons.turning} ${say.reconnecting}</p>`
    return html`<p class="foot" role="timer" aria-live="off">${icons.clock} ${say.left} ${minutes(state.expiresAt)}</p>`
  }

  /** A spinner must not turn for long without an explanation. */
  #isSlow({ status }: LoginState): boolean {
    return status === 'creating' && now() - this.#asking >= SLOW_MS
  }

  #action(state: LoginState, say: ElementText): TemplateResult | typeof nothing {
    const { status } = state
    if (this.#isSlow(state)) return html`<button type="button" @click=${this.#renewByHand}>${say.again}</button>`
    if (status === 'rejected' || status === 'expired')
      return html`<button type="button" @click=${this.#renewByHand}>${say.renew}</button>`
    if (status === 'failed' && state.react !== 'stop')
      return html`<button type="button" @click=${this.#renewByHand}>${say.again}</button>`
    return nothing
  }

  /** The way without a scan: the first choice on a phone, and a way to try things out elsewhere. */
  #open(state: LoginState, say: ElementText): TemplateResult | typeof nothing {
    const picture = this.#picture.state
    if (state.status !== 'waiting' || picture.status !== 'shown') return nothing
    if (picture.plain)
      return html`<a class=${this.#onPhone ? 'open' : 'link'} part="open" href=${state.verificationUriComplete}
        target="_blank" rel="noopener">${say.openLink} <span class="unseen">${say.newTab}</span></a>`
    // Not in a new tab: WeChat opens over this page, and the person returns to it.
    return this.#onPhone && this.#link.url
      ? html`<a class="open" part="open" href=${this.#link.url}>${say.openWechat}</a>`
      : nothing
  }
}

const over = (kind: string, icon: TemplateResult): TemplateResult =>
  html`<div class="over ${kind}"><span class="badge">${icon}</span></div>`

/** Makes a screen reader spell the code instead of pronouncing it as a word. */
const spelled = (userCode: string): string => [...userCode.replace('-', '')].join(' ')

const minutes = (until: number): string => {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

if (!customElements.get('saoma-login')) customElements.define('saoma-login', SaomaLogin)

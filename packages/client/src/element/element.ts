import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { now } from '../core/clock.ts'
import { failureFor } from '../core/request.ts'
import { createLogin, type Login } from '../login/login.ts'
import type { LoginState } from '../login/login-state.ts'
import { appLink, checkNumber, codePicture, codeToCompare, foot, numberToType, over, plate, renewal } from './card.ts'
import { createEntry, type Entry, isApplication, type Mode } from './entry.ts'
import type { ElementState, SaomaLoginEvents } from './events.ts'
import { createHandover, type LoginSession, type Misfit, misfitOf } from './handover.ts'
import { icons } from './icons.ts'
import { createPhoneLink, type PhoneLink } from './link.ts'
import { isPhone } from './phone.ts'
import { createPicture, type Picture } from './picture.ts'
import type { Remember } from './remember.ts'
import { elementStyle } from './style.ts'
import { type ElementText, type Language, languageOf, textIn } from './text.ts'
import { headlineOf, hintOf } from './wording.ts'

export type { SaomaLoginEvents } from './events.ts'
export type { LoginSession } from './handover.ts'
export { isPhone } from './phone.ts'

declare global {
  interface HTMLElementTagNameMap {
    'saoma-login': SaomaLogin
  }
}

/** A code appears at once. After this time something is wrong. */
const SLOW_MS = 10_000
const BEGINS_ANEW = ['origin', 'clientId', 'redirectUri', 'mode', 'scope', 'ticket', 'remember'] as const

/**
 * `<saoma-login origin="https://login.example.com" client-id="web" lang="zh">`: the whole login as one card.
 * Its events bubble. Without `lang` it uses the language of the surrounding page. On a phone a button beside
 * the code opens the app on that phone: `same-phone` is `auto` (the default), `always` or `never`. With the
 * id of a registered application it is a button that opens Saoma's login page. With `remember` a person may
 * have the browser remembered, which can ask their phone the next time.
 * @example
 * ```ts
 * import '@saoma/client/element'
 * import { createSession } from '@saoma/client'
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * session.on('changed', ({ token_type }) => console.log(token_type)) // -> Bearer
 * document.body.append(Object.assign(document.createElement('saoma-login'), { origin, session }))
 * ```
 */
export class SaomaLogin extends LitElement {
  static override readonly styles = elementStyle
  static override readonly properties = {
    origin: {},
    clientId: { attribute: 'client-id' },
    redirectUri: { attribute: 'redirect-uri' },
    mode: {},
    scope: {},
    ticket: {},
    lang: {},
    samePhone: { attribute: 'same-phone' },
    remember: { type: Boolean },
    session: { attribute: false },
  }

  // Only declared: a class field would hide the accessors that Lit defines for the properties.
  /** Saoma's origin. @default the page's own origin */
  declare origin: string | undefined
  declare clientId: string | undefined
  /** Of a registered application. @default the address of the page, without its query */
  declare redirectUri: string | undefined
  declare mode: Mode | undefined
  declare scope: string | undefined
  /** A confirmed ticket to redeem first; see LoginOptions. */
  declare ticket: string | undefined
  /** Whether the page runs on the phone that would scan. @default 'auto': what `isPhone` says */
  declare samePhone: 'auto' | 'always' | 'never' | undefined
  /** Whether people may have this browser remembered, which can ask their phone then. @default false */
  declare remember: boolean | undefined
  /**
   * Gets the tokens of each login, before the event `saoma-login`. A session that is set after a login gets
   * the tokens of that login, if no other had them. One of another origin or client is a failure.
   */
  declare session: LoginSession | undefined

  #login: Login | undefined
  /** In place of a code: the button of a registered application. */
  #entry: Entry | undefined
  /** In place of a login: the session does not fit. */
  #misfit: Misfit | undefined
  #handOver = createHandover()
  #picture: Picture = createPicture(() => {
    this.requestUpdate()
    const { state } = this.#picture
    if (state.status === 'shown') this.#tell('saoma-picture', { plain: state.plain })
  })
  #link: PhoneLink = createPhoneLink(
    async () => this.#login?.link() ?? failureFor('TICKET_NOT_FOUND'),
    () => this.requestUpdate(),
  )
  /** Loaded with the attribute `remember`. Without it the card has a code, as always. */
  #remember: Remember | undefined
  #clock: ReturnType<typeof setInterval> | undefined
  /** Since when a code is being requested. */
  #asking = 0

  get state(): ElementState {
    return this.#entry?.state ?? this.#shown
  }

  get #shown(): LoginState {
    return this.#misfit ?? this.#login?.state ?? { status: 'idle' }
  }

  /** Drops the present code and shows a new one. */
  renew(): void {
    this.#login?.renew()
  }

  #renewByHand(): void {
    this.renew()
    this.#focusHeadline()
  }

  /** A button that was pressed disappears, so the focus moves to the sentence that takes its place. */
  #focusHeadline(): void {
    this.requestUpdate()
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('.headline')?.focus())
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#clock = setInterval(() => this.requestUpdate(), 1_000)
    // The element was moved in the page. No property has changed, so Lit would not update.
    this.requestUpdate()
  }

  /** Frameworks set the properties after the insertion, but in the same turn: before the first update. */
  override updated(changed: PropertyValues<this>): void {
    if (!this.isConnected) return
    const isFirst = !this.#login && !this.#entry && !this.#misfit
    const isAnew = BEGINS_ANEW.some((name) => changed.has(name))
    if (!isFirst && !isAnew && !changed.has('session')) return
    const misfit = misfitOf(this.session, { origin: this.#origin, clientId: this.clientId || 'web' })
    // The login goes on with another session, or has waited for one.
    if ((this.#login || this.#entry) && !isAnew && !misfit) {
      const { state } = this
      if (state.status === 'done') this.#handOver(this.session, state.tokens)
      return
    }
    if (!isFirst) this.#end()
    if (misfit) this.#refuse(misfit)
    else this.#begin()
  }

  get #origin(): string {
    return this.origin ?? location.origin
  }

  /** Nobody should log in to a page that then could not keep the login. */
  #refuse(misfit: Misfit): void {
    this.#misfit = misfit
    console.error(`Saoma: ${misfit.message}`)
    this.#enter(misfit)
  }

  #begin(): void {
    const { clientId, redirectUri, scope, mode } = this
    const binding = () => this.session?.dpop
    if (isApplication(clientId)) {
      const place = { origin: this.#origin, clientId, redirectUri, scope, mode, binding }
      this.#entry = createEntry(place, (state) => this.#enter(state))
      return this.requestUpdate()
    }
    this.#login = createLogin({
      origin: this.#origin,
      dpop: binding,
      showsNumber: true,
      remembers: this.remember ? () => this.#remember?.wants === true : false,
      ...(this.clientId ? { clientId: this.clientId } : {}),
      ...(this.scope ? { scope: this.scope } : {}),
      ...(this.ticket ? { ticket: this.ticket } : {}),
    })
    this.#login.on('state', (state) => {
      this.#enter(state)
      this.#remember?.heard(state)
    })
    this.#login.on('connection', () => this.requestUpdate())
    this.#login.on('person', () => this.requestUpdate())
    this.#login.start()
    if (this.remember && !this.#remember) this.#loadRemember().catch(() => {})
  }

  async #loadRemember(): Promise<void> {
    const { createRemember } = await import('./remember.ts')
    const host = { root: this.renderRoot, loginOf: () => this.#login, onAct: () => this.#focusHeadline(), html }
    this.#remember ??= createRemember(host)
    this.requestUpdate()
  }

  #end(): void {
    this.#login?.close()
    this.#login = undefined
    this.#entry?.close()
    this.#entry = undefined
    this.#misfit = undefined
    this.#picture.clear()
    this.#link.clear()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.#clock)
    this.#end()
  }

  #enter(state: ElementState): void {
    if ('qr' in state) this.#picture.show(state.qr)
    if (state.status === 'creating') this.#asking = now()
    this.requestUpdate()
    this.#tell('saoma-state', { state })
    if (state.status !== 'done') return
    try {
      this.#handOver(this.session, state.tokens)
    } finally {
      this.#tell('saoma-login', { tokens: state.tokens })
    }
  }

  get #onPhone(): boolean {
    return this.samePhone === 'always' || (this.samePhone !== 'never' && isPhone())
  }

  /** Only a phone needs the link. A plain code's address is known without a request. */
  override willUpdate(): void {
    const state = this.#shown
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

  override render(): TemplateResult {
    const say = textIn(this.#language)
    if (this.#entry) return this.#entry.render(say, this.#language)
    const state = this.#shown
    const connection = this.#login?.connection ?? 'connecting'
    const known = this.remember ? this.#remember?.view(state, this.#language) : undefined
    return html`
      <section class="card ${state.status}" part="card" lang=${this.#language === 'zh' ? 'zh-CN' : 'en'}>
        ${known?.top}
        <div class="frame" part="frame">${this.#frame(state, say)}</div>
        ${'userCode' in state ? checkNumber(this.#picture.state, say) : nothing}
        <p class="headline" part="headline" role="status" aria-live="polite" tabindex="-1">${known?.headline ?? headlineOf(state, this.#picture.state, say, this.#language)}</p>
        <p class="hint">${known?.hint ?? this.#hint(state, say)}</p>
        ${this.#onPhone ? this.#open(state, say) : nothing}
        ${'userCode' in state ? codeToCompare(state.userCode, say) : nothing}
        ${'expiresAt' in state ? foot(state.expiresAt, connection, say) : nothing}
        ${this.#onPhone ? nothing : this.#open(state, say)}
        ${renewal(state, this.#isSlow(state), say, this.#renewByHand)}
        ${known?.bottom}
      </section>
    `
  }

  #frame(state: LoginState, say: ElementText): TemplateResult {
    if (state.status === 'waiting') return this.#code(say, false)
    if (state.status !== 'scanned') return plate(state.status)
    return html`${this.#code(say, true)}${state.number ? numberToType(state.number) : over('good', icons.phone)}`
  }

  #code(say: ElementText, dim: boolean): TemplateResult {
    const acts = { renew: () => this.#renewByHand(), retry: () => this.#picture.retry() }
    return codePicture(this.#picture.state, dim, say, acts)
  }

  #hint(state: LoginState, say: ElementText): string | typeof nothing {
    if (this.#isSlow(state)) return say.slow
    const hasLink = this.#link.url !== undefined
    return hintOf(state, this.#picture.state, say, this.#language, this.#onPhone, hasLink) ?? nothing
  }

  /** A spinner must not turn for long without an explanation. */
  #isSlow({ status }: LoginState): boolean {
    return status === 'creating' && now() - this.#asking >= SLOW_MS
  }

  #open(state: LoginState, say: ElementText): TemplateResult | typeof nothing {
    const picture = this.#picture.state
    if (state.status !== 'waiting' || picture.status !== 'shown') return nothing
    return appLink(picture.plain ? state.verificationUriComplete : undefined, this.#onPhone, this.#link.url, say)
  }
}

if (!customElements.get('saoma-login')) customElements.define('saoma-login', SaomaLogin)

import type { LoginRequest, WaitingRequest } from '@saoma/protocol'
import { html, nothing, type TemplateResult } from 'lit'
import { sayCode } from '../codes.ts'
import { fill } from '../language.ts'
import { sayScope } from '../scopes.ts'
import { namePattern, type Phone, type Screen } from './phone.ts'
import { say, sayAge } from './text.ts'

const people = ['Li Lei', 'Han Meimei', '王小明', 'Ada Lovelace']

const field = (event: SubmitEvent, name: string): string =>
  String(new FormData(event.currentTarget as HTMLFormElement).get(name) ?? '')

export const screenView = (phone: Phone): TemplateResult => {
  const { screen } = phone
  // Whoever has come from the list goes back there.
  const back = phone.hasList
    ? html`<button class="button quiet" type="button" @click=${() => phone.list()}>${say().back}</button>`
    : undefined
  switch (screen.status) {
    case 'choosing':
      return choosing(phone, screen.error)
    case 'typing':
      return typing(phone, screen.requests, screen.error)
    case 'asking':
      return asking(phone, screen)
    case 'working':
      return html`<p class="card result" role="status" tabindex="-1" data-start>${say().working}</p>`
    case 'deciding':
      return html`<p class="card result" role="status" tabindex="-1" data-start>${screen.again ? say().tellingAgain : say().telling}</p>`
    case 'settled':
      return result('warn', '…', say().settled, say().settledHint, back)
    case 'confirmed':
      return result('good', '✓', say().confirmed, say().confirmedHint, back)
    case 'rejected':
      return result('bad', '✕', say().rejected, say().rejectedHint, back)
    case 'reported':
      return result('bad', '✕', say().rejected, say().reportedHint, back)
    case 'expired':
      return result('warn', '…', say().expired, back ? say().rejectedHint : say().expiredHint, back ?? another())
    case 'refused':
      return result('bad', '✕', say().refused, say().refusedHint, back)
    case 'elsewhere':
      return result('warn', '!', say().elsewhere, say().elsewhereHint, again(screen.again))
    case 'not-demo':
      return result('warn', '!', say().notDemo, say().notDemoHint)
    case 'failed':
      return result(
        'warn',
        '!',
        say().wrong,
        screen.detail ?? sayCode(screen.code),
        screen.again ? again(screen.again) : (back ?? another()),
      )
  }
}

const choosing = (phone: Phone, error: string | undefined): TemplateResult => html`
  <p class="demo">${say().demo}</p>
  <h1 tabindex="-1" data-start>${say().who}</h1>
  <p class="sub">${say().whoHint}</p>
  <div class="people">
    ${people.map(
      (name) => html`<button class="person" type="button" @click=${() => phone.choose(name)}>
        <span class="face" aria-hidden="true">${[...name][0]}</span>${name}
      </button>`,
    )}
  </div>
  <form
    @submit=${(event: SubmitEvent) => {
      event.preventDefault()
      void phone.choose(field(event, 'name'))
    }}
  >
    <label for="name">${say().own}</label>
    <div class="field">
      <input id="name" name="name" required maxlength="32" autocomplete="given-name" placeholder=${say().name}
        pattern=${namePattern.source} title=${say().badName} aria-describedby="name-error" />
      <button class="button" type="submit">${say().use}</button>
    </div>
    <p class="error" id="name-error" role="alert">${error ? say().badName : nothing}</p>
  </form>
`

const identity = (phone: Phone): TemplateResult => html`
  <p class="as">
    <span>${fill(say().as, { name: phone.name })}</span>
    <button class="plain" type="button" @click=${phone.change}>${say().change}</button>
  </p>
`

/** The requests that applications have sent to this phone. */
const waiting = (phone: Phone, requests: readonly WaitingRequest[]): TemplateResult | typeof nothing =>
  requests.length === 0
    ? nothing
    : html`<section class="waiting" aria-label=${say().waiting}>
        <h2>${say().waiting}</h2>
        ${requests.map(
          ({
            ticket,
            app,
            message,
            requestedAt,
          }) => html`<button class="person" type="button" @click=${() => phone.open(ticket)}>
            <span class="face" aria-hidden="true">${[...app][0]}</span>
            <span>${app} <small>${[message, sayAge(requestedAt)].filter(Boolean).join(' · ')}</small></span>
          </button>`,
        )}
      </section>`

const typing = (phone: Phone, requests: readonly WaitingRequest[], error: string | undefined): TemplateResult => html`
  ${identity(phone)}
  ${waiting(phone, requests)}
  <h1 tabindex="-1">${say().typeHeading}</h1>
  <p class="sub" id="code-hint">${say().typeHint}</p>
  <form
    @submit=${(event: SubmitEvent) => {
      event.preventDefault()
      void phone.find(field(event, 'code'))
    }}
  >
    <label for="code">${say().userCode}</label>
    <div class="field">
      <input class="user-code" id="code" name="code" data-start required maxlength="16" autocomplete="off"
        autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX" aria-describedby="code-hint code-error" />
      <button class="button" type="submit">${say().find}</button>
    </div>
    <p class="error" id="code-error" role="alert">${error ? sayCode(error) : nothing}</p>
  </form>
`

/** What an application of somebody else would get. */
const terms = ({ app, application }: LoginRequest): TemplateResult | typeof nothing => {
  if (application?.party !== 'third') return nothing
  return html`
    <section class="terms">
      <p>${fill(say().foreign, { app })}</p>
      <ul>${application.scopes.map((scope) => html`<li>${sayScope(scope)}</li>`)}</ul>
    </section>
  `
}

type Asking = Extract<Screen, { status: 'asking' }>

/** What is wrong with the yes of before. */
const sayMistake = ({ error, left, verification }: Asking): string => {
  if (error === 'VERIFICATION_WRONG') return fill(say().wrongNumber, { n: left ?? 0 })
  if (error === 'VERIFICATION_REQUIRED' && verification === 'network') return say().elsewhereHint
  return sayCode(error ?? '')
}

/** Both answers. If a number is asked for, the yes comes with it. */
const answers = (phone: Phone, screen: Asking): TemplateResult => html`
  <form
    @submit=${(event: SubmitEvent) => {
      event.preventDefault()
      const number = screen.verification === 'number' ? field(event, 'number') : undefined
      void phone.decide('confirm', number)
    }}
  >
    ${
      screen.verification === 'number'
        ? html`<label for="number">${say().number}</label>
            <input class="digits" id="number" name="number" required inputmode="numeric" pattern="[0-9]{2}" maxlength="2"
              autocomplete="off" title=${say().number} aria-describedby="mistake" />`
        : nothing
    }
    ${screen.error ? html`<p class="error" id="mistake" role="alert">${sayMistake(screen)}</p>` : nothing}
    <div class="decide">
      <button class="button refuse" type="button" @click=${() => phone.decide('reject')}>${say().decline}</button>
      <button class="button" type="submit">${say().confirm}</button>
    </div>
  </form>
`

/** Where the request comes from. */
const facts = ({ app, ip, browser, os, application, requestedAt, pushed }: LoginRequest): TemplateResult => html`
  <dl class="facts">
    ${
      pushed
        ? html`<dt>${say().from}</dt><dd>${fill(say().server, { app })}</dd>`
        : html`<dt>${say().address}</dt><dd class="mono">${ip || say().unknown}</dd>
            <dt>${say().browser}</dt><dd>${browser || (application ? say().noBrowser : say().unknown)}</dd>
            <dt>${say().system}</dt><dd>${os || say().unknown}</dd>`
    }
    <dt>${say().asked}</dt><dd>${sayAge(requestedAt)}</dd>
  </dl>
`

/** What both screens display. */
const comparison = ({ userCode, pushed }: LoginRequest): TemplateResult | typeof nothing => {
  const shown = userCode || pushed?.message
  return shown ? html`<p class="usercode"><span>${say().compare}</span><strong>${shown}</strong></p>` : nothing
}

const cautionOf = ({ request: { application, pushed }, isListed }: Asking): string => {
  if (pushed || isListed) return say().pushedCaution
  return application ? say().deviceCaution : say().caution
}

const asking = (phone: Phone, screen: Asking): TemplateResult => html`
  ${identity(phone)}
  <section class="card">
    ${screen.isTyped ? html`<p class="caution typed" role="alert"><strong>${say().typed}</strong> ${say().typedHint}</p>` : nothing}
    <h1 tabindex="-1" data-start>${fill(say().asks, { app: screen.request.app })}</h1>
    <p class="sub">${say().asksHint}</p>
    ${facts(screen.request)}
    ${comparison(screen.request)}
    ${terms(screen.request)}
    <p class="caution">${cautionOf(screen)}</p>
    ${answers(phone, screen)}
    ${
      screen.isListed
        ? html`<button class="plain not-me" type="button" @click=${() => phone.report()}>${say().notMe}</button>`
        : nothing
    }
    <p class="left">${fill(say().left, { n: Math.max(0, Math.ceil((screen.until - Date.now()) / 1_000)) })}</p>
  </section>
`

const another = (): TemplateResult => html`<a class="button quiet" href="/phone">${say().another}</a>`

const again = (act: () => void): TemplateResult =>
  html`<button class="button" type="button" @click=${act}>${say().again}</button>`

const result = (
  kind: 'good' | 'bad' | 'warn',
  sign: string,
  heading: string,
  hint: string,
  action?: TemplateResult,
): TemplateResult => html`
  <section class="card result ${kind}" role="status">
    <span class="sign" aria-hidden="true">${sign}</span>
    <h1 tabindex="-1" data-start>${heading}</h1>
    <p class="sub">${hint}</p>
    ${action ?? nothing}
  </section>
`

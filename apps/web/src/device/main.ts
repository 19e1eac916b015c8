import { isPhone } from '@saoma/client'
import { parseTicket } from '@saoma/protocol'
import { html, nothing, render, type TemplateResult } from 'lit'
import { header } from '../frame.ts'
import { fill } from '../language.ts'
import { createTicketPicture, type TicketPicture } from '../verify/picture.ts'
import { pictureView } from '../verify/picture-view.ts'
import { typingLink } from '../verify/typing-link.ts'
import { findDevice } from './find.ts'
import { say, sayMistake } from './text.ts'

/*
 * The page of RFC 8628's `verification_uri` for devices of registered applications: a TV or a command line
 * shows this address and a code. Whoever types the code here gets a picture to scan. This page decides
 * nothing, and is not told what the phone decides.
 */

const root = document.querySelector<HTMLElement>('#app')
const query = new URLSearchParams(location.search)

/** A device whose code was typed or scanned. `code` and `app` are known if it was typed here. */
interface Device {
  picture: TicketPicture
  ticket: string
  code?: string
  app?: string
}

type State = { is: 'typing'; typed: string; error?: string } | { is: 'finding' } | { is: 'found'; device: Device }
let state: State = { is: 'typing', typed: query.get('user_code') ?? '' }
/** Opens the phone's side on its page for typing a code. */
let link: string | undefined

const enter = (next: State): void => {
  state = next
  update()
  document.querySelector<HTMLElement>('[data-start]')?.focus()
}

const show = (ticket: string, told: Pick<Device, 'code' | 'app'> = {}): void => {
  const picture = createTicketPicture(ticket, () => update())
  enter({ is: 'found', device: { picture, ticket, ...told } })
  void picture.load()
}

const find = async (typed: string): Promise<void> => {
  enter({ is: 'finding' })
  const answer = await findDevice(typed.trim().slice(0, 32))
  if (!answer.ok) return enter({ is: 'typing', typed, error: answer.code })
  const { ticket, app } = answer.value
  // A reload shows the same device.
  history.replaceState(null, '', `${location.pathname}?ticket=${ticket}`)
  show(ticket, {
    app,
    code: typed
      .toUpperCase()
      .replace(/[^A-Z]/g, '')
      .replace(/^(.{4})(.{4})$/, '$1-$2'),
  })
}

const caution = (): TemplateResult => html`<p class="caution">${say().caution}</p>`

/** In demo mode a page stands in for the mini-program. */
const isPage = (): boolean => link?.startsWith(`${location.origin}/`) ?? false

const phoneCard = (): TemplateResult => html`
  <section class="card">
    <h2>${say().phone}</h2>
    <p class="sub">${isPage() ? say().phonePage : say().phoneHint}</p>
    ${link && (isPage() || isPhone()) ? html`<a class="button quiet" href=${link}>${isPage() ? say().openPage : say().openApp}</a>` : nothing}
  </section>
`

const typing = ({ typed, error }: Extract<State, { is: 'typing' }>): TemplateResult => html`
  <main class="ways">
    <h1 tabindex="-1">${say().heading}</h1>
    <p class="sub">${say().hint}</p>
    ${caution()}
    <section class="card">
      <h2>${say().type}</h2>
      <form
        @submit=${(event: SubmitEvent) => {
          event.preventDefault()
          void find(String(new FormData(event.currentTarget as HTMLFormElement).get('code') ?? ''))
        }}
      >
        <label for="code">${say().userCode}</label>
        <div class="field">
          <input class="user-code" id="code" name="code" data-start required maxlength="16" autocomplete="off"
            autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX"
            value=${typed.slice(0, 16)} aria-describedby="code-error" />
          <button class="button" type="submit">${say().find}</button>
        </div>
        <p class="error" id="code-error" role="alert">${error ? sayMistake(error) : nothing}</p>
      </form>
    </section>
    ${phoneCard()}
  </main>
`

const another = (): TemplateResult => html`<a class="button quiet" href="/device">${say().another}</a>`

const compare = (code: string | undefined): TemplateResult | typeof nothing =>
  code ? html`<p class="usercode"><span>${say().compare}</span><strong>${code}</strong></p>` : nothing

const scanning = ({ picture: shown, ticket, code }: Device): TemplateResult => {
  const { picture } = shown
  const isPlain = picture.status === 'shown' && picture.isPlain
  return html`
    ${pictureView(shown, say(), isPlain ? say().scanAny : say().scanWechat)}
    ${picture.status === 'shown' ? compare(code) : nothing}
    ${isPlain ? html`<a class="button quiet" href=${`/phone?ticket=${ticket}`}>${say().here}</a>` : nothing}
  `
}

const found = (device: Device): TemplateResult => {
  const { picture } = device.picture
  if (picture.status === 'failed' && picture.code === 'TICKET_NOT_FOUND')
    return html`<main>
      <section class="card result warn" role="status">
        <span class="sign" aria-hidden="true">…</span>
        <h1 tabindex="-1" data-start>${say().over}</h1>
        <p class="sub">${say().overHint}</p>
        ${another()}
      </section>
    </main>`
  return html`
    <main class="ways">
      <h1 tabindex="-1" data-start>${device.app ? fill(say().login, { app: device.app }) : say().confirm}</h1>
      <p class="sub">${say().confirmHint}</p>
      ${caution()}
      <section class="card">
        <h2>${say().scan}</h2>
        ${scanning(device)}
      </section>
      ${phoneCard()}
    </main>
  `
}

const body = (): TemplateResult => {
  switch (state.is) {
    case 'typing':
      return typing(state)
    case 'finding':
      return html`<main><p class="card result" role="status" tabindex="-1" data-start>${say().working}</p></main>`
    case 'found':
      return found(state.device)
  }
}

const update = (): void => {
  if (!root) return
  document.title = say().title
  render(html`${header(update)} ${body()}<footer class="bottom">${say().footer}</footer>`, root)
}

const findLink = async (): Promise<void> => {
  link = await typingLink().catch(() => undefined)
  update()
}

const scanned = parseTicket(query.get('ticket') ?? undefined)
if (scanned.ok) show(scanned.value)
else update()
void findLink()

import { isPhone } from '@saoma/client'
import { parseTicket } from '@saoma/protocol'
import { html, nothing, render, type TemplateResult } from 'lit'
import { header } from '../frame.ts'
import { createTicketPicture, type TicketPicture } from './picture.ts'
import { say, sayCode } from './text.ts'
import { typingLink } from './typing-link.ts'

/*
 * The page of RFC 8628's `verification_uri` for WeChat's codes. A command line or a TV shows this address to
 * its user, and the user confirms the login in the mini-program.
 */

const root = document.querySelector<HTMLElement>('#app')
/** Opens the app on its page for typing a code. */
let link: string | undefined
const ticket = parseTicket(new URLSearchParams(location.search).get('ticket') ?? undefined)

const pictureView = ({ picture, load }: TicketPicture): TemplateResult => {
  if (picture.status === 'loading') return html`<p class="sub" role="status">${say().working}</p>`
  if (picture.status === 'failed')
    return html`<p class="error" role="alert">${sayCode(picture.code)}</p>
      <button class="button" type="button" @click=${load}>${say().again}</button>`
  return html`
    <img class="picture" src=${picture.url} alt=${say().picture} width="280" height="280" />
    ${picture.check ? html`<p class="usercode"><span>${say().check}</span><strong>${picture.check}</strong></p>` : nothing}
    <p class="sub">${say().scanHint}</p>
  `
}

const typing = (): TemplateResult => html`
  <section class="card">
    <h2>${say().type}</h2>
    <p class="sub">${say().typeHint}</p>
    ${link ? html`<a class="button" href=${link}>${say().open}</a>` : nothing}
  </section>
`

const waysView = (shown: TicketPicture): TemplateResult => {
  const { picture } = shown
  if (picture.status === 'failed' && picture.code === 'TICKET_NOT_FOUND')
    return html`<section class="card result warn" role="status">
      <h1 tabindex="-1">${say().over}</h1>
      <p class="sub">${say().overHint}</p>
    </section>`
  return html`
    <h1>${say().heading}</h1>
    <p class="sub">${say().hint}</p>
    <section class="card">
      <h2>${say().scan}</h2>
      ${pictureView(shown)}
    </section>
    ${typing()}
  `
}

const update = (): void => {
  if (!root) return
  document.title = say().title
  render(
    html`
      ${header(update)}
      <main>${shown ? waysView(shown) : html`<h1>${say().heading}</h1>${typing()}`}</main>
      <footer class="bottom">${say().footer}</footer>
    `,
    root,
  )
}

/** On a phone a tap is fastest. On other devices the link leads nowhere. */
const findLink = async (): Promise<void> => {
  if (!isPhone()) return
  link = await typingLink().catch(() => undefined)
  update()
}

const shown = ticket.ok ? createTicketPicture(ticket.value, update) : undefined
update()
void shown?.load()
void findLink()

import { isPhone } from '@saoma/client'
import { parseTicket } from '@saoma/protocol'
import { html, nothing, render, type TemplateResult } from 'lit'
import { header } from '../frame.ts'
import { createTicketPicture, type TicketPicture } from './picture.ts'
import { pictureView } from './picture-view.ts'
import { say } from './text.ts'
import { typingLink } from './typing-link.ts'

/*
 * The page of RFC 8628's `verification_uri` for WeChat's codes. A command line or a TV shows this address to
 * its user, and the user confirms the login in the mini-program.
 */

const root = document.querySelector<HTMLElement>('#app')
/** Opens the app on its page for typing a code. */
let link: string | undefined
const ticket = parseTicket(new URLSearchParams(location.search).get('ticket') ?? undefined)

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
      ${pictureView(shown, say(), say().scanHint)}
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

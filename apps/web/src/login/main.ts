import { createSession, type SessionEvents } from '@saoma/client'
import type { SaomaLogin, SaomaLoginEvents } from '@saoma/client/element'
import '@saoma/client/element'
import { html, nothing, render, type TemplateResult } from 'lit'
import { sayEnded } from '../ended.ts'
import { header } from '../frame.ts'
import { createSignedIn, type SignedIn } from './signed-in.ts'
import { say } from './text.ts'

const { origin } = location
const root = document.querySelector<HTMLElement>('#app')
const session = createSession({ origin })
// WeChat's long poll redirects the browser here with a confirmed ticket. The ticket works once, so it does
// not stay in the address.
let ticket = new URLSearchParams(location.search).get('ticket') ?? undefined
if (ticket) history.replaceState(null, '', location.pathname)

let signedIn: SignedIn | undefined
/** This login was ended elsewhere, and nobody has logged in again yet: why. */
let revoked: Pick<SessionEvents['ended'], 'notice'> | undefined
/** The code leads to the demo phone. So there are pages to try things out. */
let isDemo = false
/** WeChat alone reads its codes, and those of a company's own app have another address. */
const showsDemo = ({ detail, target }: SaomaLoginEvents['saoma-picture']): boolean => {
  const { state } = target as SaomaLogin
  return detail.plain && 'qr' in state && new URL(state.verificationUriComplete).pathname === '/phone'
}

const welcome = (): TemplateResult => html`
  <main class="welcome">
    ${revoked ? html`<p class="revoked" role="status" tabindex="-1">${sayEnded(revoked.notice)}</p>` : nothing}
    <div class="intro">
      <h1>${say().heading}</h1>
      <p class="lead">${say().lead}</p>
      <ol class="steps">
        ${say().steps.map(([verb, how]) => html`<li><strong>${verb}</strong><span>${how}</span></li>`)}
      </ol>
    </div>
    <saoma-login
      lang=${document.documentElement.lang}
      .ticket=${ticket}
      remember
      @saoma-picture=${(event: SaomaLoginEvents['saoma-picture']) => {
        isDemo = showsDemo(event)
        update()
      }}
      .session=${session}
    ></saoma-login>
  </main>
`

const update = (): void => {
  if (!root) return
  document.title = say().title
  render(
    html`
      ${header(update)} ${session.tokens ? (signedIn?.view() ?? nothing) : welcome()}
      <footer class="bottom">
        <span>${say().footer}</span>
        ${isDemo && !signedIn ? html`<nav><a href="/phone">${say().phone}</a><a href="/embed.html">${say().embedded}</a></nav>` : nothing}
      </footer>
    `,
    root,
  )
}

const follow = (): void => {
  const entering = session.tokens !== undefined && !signedIn
  if (!session.tokens) {
    signedIn?.close()
    signedIn = undefined
  } else {
    ticket = undefined
    revoked = undefined
    signedIn ??= createSignedIn(session, origin, update)
  }
  update()
  // The page has changed. Screen readers continue at the new heading.
  if (entering) document.querySelector<HTMLElement>('h1')?.focus()
}

session.on('changed', follow)
session.on('ended', (ended) => {
  revoked = ended.reason === 'revoked' ? ended : undefined
  follow()
  // Moves the focus to the reason for the change.
  document.querySelector<HTMLElement>('.revoked')?.focus()
})
follow()

import {
  createLive,
  createSession,
  type Live,
  type LiveState,
  type Room,
  type Session,
  type SessionEvents,
} from '@saoma/client'
import '@saoma/client/element'
import { html, nothing, render, type TemplateResult } from 'lit'
import { sayEnded } from '../ended.ts'
import { header } from '../frame.ts'
import { fill } from '../language.ts'
import { createPulse } from './pulse.ts'
import { createShopApi, type ShopApi } from './shop-api.ts'
import { type DemoName, demos, say } from './text.ts'

/** What a demo receives once the person is logged in. */
export interface Surroundings {
  live: Live
  /** The person's own channel. */
  own: Room<OwnEvents>
  shop: ShopApi
  me: Person
  /** Renders the page again. */
  update: () => void
}

export interface OwnEvents {
  notice: unknown
}

export interface Person {
  id: string
  /** The name of the id token, for other people. */
  name: string
}

/** The content of a demo page. */
export interface Demo {
  view(): TemplateResult
  /**
   * When the person's oldest unanswered action began, by `performance.now()`.
   * @default nothing waits for an answer
   */
  waitingSince?(): number | undefined
  close(): void
}

/** A slower answer means that the server is recovering from a fault, although the connection is up. */
const SLOW_MS = 3_000
const LOOK_MS = 500
/** History of the own channel in the message center. Other demos need only the unread count. */
const OWN_HISTORY = 50

const bell = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <path d="M12 3a6 6 0 0 0-6 6v4l-2 3.5h16L18 13V9a6 6 0 0 0-6-6Zm-2.2 15.5a2.3 2.3 0 0 0 4.4 0" />
</svg>`

interface SignedIn {
  surroundings: Surroundings
  demo: Demo
  /** When the oldest unanswered request of the person or the page began, by `performance.now()`. */
  waitingSince(): number | undefined
  close(): void
}

const personOf = (session: Session): Person => {
  const { sub: id = '', name } = session.claims ?? {}
  // WeChat gives no names.
  return { id, name: name || `#${id.slice(0, 4)}` }
}

const signIn = (
  name: DemoName,
  session: Session,
  open: (surroundings: Surroundings) => Demo,
  update: () => void,
): SignedIn => {
  const { origin } = location
  let opened = false
  // Before the demo is open, the page has only the login, which renders itself.
  const updateOpened = () => {
    if (opened) update()
  }
  const live = createLive({ origin, token: session })
  const own = live.channel<OwnEvents>('@user', { history: name === 'inbox' ? OWN_HISTORY : 0 })
  live.on('state', updateOpened)
  // If the session was ended elsewhere, it ends here too, and the page shows the login.
  live.on('ended', () => void session.recheck())
  own.on('inbox', updateOpened)
  const surroundings = { live, own, shop: createShopApi(session), me: personOf(session), update: updateOpened }
  const demo = open(surroundings)
  const pulse = createPulse(own)
  opened = true
  return {
    surroundings,
    demo,
    waitingSince: () => demo.waitingSince?.() ?? pulse.waitingSince,
    close: () => {
      opened = false
      pulse.close()
      demo.close()
      live.close()
    },
  }
}

/** Shows a demo: first the login, then the demo in a frame with links to the other demos. */
export const showDemo = (name: DemoName, open: (surroundings: Surroundings) => Demo): void => {
  const root = document.querySelector<HTMLElement>('#app')
  const session = createSession({ origin: location.origin })
  let signedIn: SignedIn | undefined
  /** This login was ended elsewhere, and nobody has logged in again yet: why. */
  let revoked: Pick<SessionEvents['ended'], 'notice'> | undefined

  const entrance = (): TemplateResult => html`
    <main class="entrance">
      <h1 tabindex="-1">${say().titles[name]}</h1>
      ${revoked ? html`<p class="revoked" role="status">${sayEnded(revoked.notice)}</p>` : nothing}
      <p class="lead">${say().leads[name]}</p>
      <saoma-login lang=${document.documentElement.lang} .session=${session}></saoma-login>
    </main>
  `

  const isSlow = (): boolean => performance.now() - (signedIn?.waitingSince() ?? Number.POSITIVE_INFINITY) > SLOW_MS
  let slow = false
  setInterval(() => {
    if (isSlow() !== slow) update()
  }, LOOK_MS)

  const update = (): void => {
    if (!root) return
    slow = isSlow()
    document.title = `${say().titles[name]} · Saoma`
    render(
      html`
        ${header(update)} ${signedIn ? bar(name, signedIn.surroundings, session, slow) : nothing}
        ${signedIn ? html`<main class="demo ${name}">${signedIn.demo.view()}</main>` : entrance()}
        <footer class="bottom"><span>${say().footer}</span><a href="/">${say().home}</a></footer>
      `,
      root,
    )
  }

  const follow = (): void => {
    if (session.tokens) revoked = undefined
    const known = signedIn?.surroundings.me.id
    const now = session.tokens ? session.claims?.sub : undefined
    if (known !== now) {
      signedIn?.close()
      signedIn = now === undefined ? undefined : signIn(name, session, open, update)
    }
    update()
    // The page has changed. Screen readers continue at the new heading.
    if (known !== now) document.querySelector<HTMLElement>('h1')?.focus()
  }

  session.on('changed', follow)
  session.on('ended', (ended) => {
    revoked = ended.reason === 'revoked' ? ended : undefined
    follow()
  })
  follow()
}

const tone = (state: LiveState): string =>
  ['socket', 'stream', 'poll'].includes(state) ? 'good' : ['offline', 'ended'].includes(state) ? 'bad' : 'warn'

const bar = (here: DemoName, { live, own, me }: Surroundings, session: Session, slow: boolean): TemplateResult => {
  // A slow answer is more useful than a connection state that looks good.
  const isRecovering = slow && tone(live.state) === 'good'
  const unread = own.inbox?.unread ?? 0
  const announced = fill(say().unread, { n: unread })
  return html`
    <div class="bar">
      <nav aria-label=${say().demos}>
        ${demos.map(
          (name) =>
            html`<a href="/${name}.html" aria-current=${name === here ? 'page' : nothing}>${say().names[name]}</a>`,
        )}
      </nav>
      <div class="who">
        <span
          class="state ${isRecovering ? 'warn' : tone(live.state)}"
          role="status"
          data-state=${isRecovering ? 'recovering' : live.state}
          >${isRecovering ? say().recovering : say().states[live.state]}</span
        >
        ${
          live.state === 'ended'
            ? html`<button class="plain" type="button" @click=${() => location.reload()}>${say().reload}</button>`
            : nothing
        }
        <a class="bell" href="/inbox.html" aria-label=${announced} title=${announced}>
          ${bell}${unread > 0 ? html`<b aria-hidden="true">${unread > 99 ? '99+' : unread}</b>` : nothing}
        </a>
        <span class="name">${me.name}</span>
        <button class="plain" type="button" @click=${() => void session.logout()}>${say().logout}</button>
      </div>
    </div>
  `
}

import { monitorSession, type Session } from '@saoma/client'
import { html, nothing, type TemplateResult } from 'lit'
import { fill } from '../language.ts'
import { createPlaces } from './places.ts'
import { clock, say } from './text.ts'
import { type Verification, verifyToken } from './verify.ts'

export interface SignedIn {
  view(): TemplateResult
  close(): void
}

/** The page after the login: the logged-in person, and whether a backend would accept the token. */
export const createSignedIn = (session: Session, origin: string, update: () => void): SignedIn => {
  let verification: Verification | undefined
  let busy = false
  let refreshedAt: number | undefined
  let trouble = false

  const act = async (work: () => Promise<void>) => {
    if (busy) return
    busy = true
    trouble = false
    update()
    try {
      await work()
    } finally {
      busy = false
      update()
    }
  }

  const verify = async () => {
    const token = await session.accessToken()
    trouble = !token.ok
    if (token.ok) verification = await verifyToken(token.value, origin)
  }

  const refresh = async () => {
    const token = await session.refresh()
    trouble = !token.ok
    if (!token.ok) return
    refreshedAt = Date.now()
    verification = await verifyToken(token.value, origin)
  }

  const ticking = setInterval(() => {
    // Fetching the token refreshes it before it expires, so the page does more than count down.
    if (session.tokens && (session.expiresAt ?? 0) < Date.now()) void act(verify)
    else update()
  }, 1_000)
  void act(verify)
  const monitor = monitorSession(session, { origin })
  const places = createPlaces(session, monitor, origin, update)

  const left = (): string => {
    const seconds = Math.max(0, Math.ceil(((session.expiresAt ?? 0) - Date.now()) / 1_000))
    return fill(say().seconds, { minutes: Math.floor(seconds / 60), seconds: seconds % 60 })
  }

  const verdict = (): TemplateResult => {
    if (!verification || busy) return html`<span class="verdict">${say().checking}</span>`
    const { flaw, checkedAt } = verification
    return flaw
      ? html`<span class="verdict bad">✕ ${say().invalid[flaw]}</span>`
      : html`<span><span class="verdict good">✓ ${say().valid}</span>, ${fill(say().checkedAt, { time: clock(checkedAt) })}</span>`
  }

  return {
    view: () => {
      const { claims, tokens } = session
      // WeChat gives no names.
      const name = claims?.name || `#${claims?.sub.slice(0, 4)}`
      return html`
        <main class="inside">
          <div class="hello">
            <span class="avatar" aria-hidden="true">${[...name.replace('#', '')][0]?.toUpperCase() ?? '?'}</span>
            <div>
              <h1 tabindex="-1">${fill(say().hello, { name })}</h1>
              <p>${say().inside}</p>
            </div>
            <button class="button quiet" type="button" @click=${() => void session.logout()}>${say().logout}</button>
          </div>
          <nav class="demos" aria-label=${say().demos}>
            ${say().demoLinks.map(
              ([href, name, what]) =>
                html`<a class="card" href=${href}><strong>${name}</strong><span>${what}</span></a>`,
            )}
          </nav>
          <div class="panels">
            <section class="card">
              <h2>${say().account}</h2>
              <dl class="facts">
                ${claims?.name ? html`<dt>${say().name}</dt><dd>${claims.name}</dd>` : nothing}
                <dt>${say().sub}</dt><dd class="mono">${claims?.sub}</dd>
                <dt>${say().sid}</dt><dd class="mono">${claims?.sid}</dd>
              </dl>
            </section>
            <section class="card">
              <h2>${say().token}</h2>
              <dl class="facts">
                <dt>${say().ends}</dt><dd class="ends">${left()}</dd>
                <dt>${say().scope}</dt><dd>${tokens?.scope}</dd>
                <dt>${say().node}</dt><dd class="mono">${verification?.node}</dd>
              </dl>
              <div class="row">
                <span role="status">${refreshedAt ? fill(say().refreshed, { time: clock(refreshedAt) }) : nothing}</span>
                <button class="button quiet" type="button" ?disabled=${busy} @click=${() => act(refresh)}>${say().refresh}</button>
              </div>
            </section>
            ${places.view()}
            <section class="card wide">
              <h2>${say().verification}</h2>
              <div class="row">
                <p role="status">${trouble ? html`<span class="verdict bad">${say().noAnswer}</span>` : verdict()}</p>
                <button class="button" type="button" ?disabled=${busy} @click=${() => act(verify)}>${say().verify}</button>
              </div>
              ${
                verification
                  ? html`<pre tabindex="0" aria-label=${say().claims}>${JSON.stringify(verification.claims, null, 2)}</pre>`
                  : nothing
              }
            </section>
          </div>
        </main>
      `
    },
    close: () => {
      clearInterval(ticking)
      monitor.close()
      places.close()
    },
  }
}

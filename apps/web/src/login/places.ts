import { type Answer, createBrowsers, createDevices, type Session, type SessionMonitor } from '@saoma/client'
import type { KnownBrowser, SessionEntry } from '@saoma/protocol'
import { html, nothing, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { fill } from '../language.ts'
import { moment, say } from './text.ts'

export interface Places {
  view(): TemplateResult
  close(): void
}

/**
 * The list of the person's logins. Each but the current one has two buttons: one ends it, the other says as
 * well that it was somebody else.
 */
export const createPlaces = (session: Session, monitor: SessionMonitor, origin: string, update: () => void): Places => {
  const devices = createDevices({ origin, token: session.accessToken })
  const browsers = createBrowsers({ origin, token: session.accessToken })
  let entries: SessionEntry[] | undefined
  let known: KnownBrowser[] = []
  let busy = false
  let trouble = false
  let said = ''
  let asking = false
  /** Number of list requests, and the latest one whose answer is shown. Older answers are dropped. */
  let asked = 0
  let shown = 0

  /** False if the answer is an error. */
  const check = (answer: Answer<unknown>): boolean => {
    if (answer.ok) return true
    // Another device ended it, or had it forgotten, at the same moment, which is just as good.
    if (answer.code === 'SESSION_NOT_FOUND' || answer.code === 'NOT_FOUND') return true
    if (answer.code === 'REVOKED') void session.recheck()
    trouble = true
    return false
  }

  const read = async (): Promise<Answer<SessionEntry[]>> => {
    const mine = ++asked
    const [answer, remembered] = await Promise.all([devices.list(), browsers.list()])
    if (answer.ok && mine > shown) {
      shown = mine
      entries = answer.value
      if (remembered.ok) known = remembered.value
      if (entries.length < 2) asking = false
    }
    return answer
  }

  const load = async () => {
    check(await read())
  }

  /** An automatic reload, so it neither disables buttons nor shows errors. */
  const reload = async () => {
    if (document.hidden) return
    const answer = await read()
    if (!answer.ok && answer.code === 'REVOKED') void session.recheck()
    update()
  }

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

  /** Takes a place off its list. */
  const drop = (place: string, how: () => Promise<Answer<unknown>>, sentence: () => string) =>
    act(async () => {
      if (!check(await how())) return
      // The list first: an automatic reload may show the sentence at any moment, and may have begun before.
      await load()
      said = fill(sentence(), { place })
    })
  const end = (entry: SessionEntry) =>
    drop(
      placeOf(entry),
      () => devices.end(entry.sid),
      () => say().endedOne,
    )
  const report = (entry: SessionEntry) =>
    drop(
      placeOf(entry),
      () => devices.report(entry.sid),
      () => say().reportedOne,
    )
  const forget = (browser: KnownBrowser) =>
    drop(
      placeOf(browser),
      () => browsers.forget(browser.id),
      () => say().forgot,
    )

  const endOthers = () =>
    act(async () => {
      asking = false
      const answer = await devices.endAll({ keepCurrent: true })
      if (!check(answer) || !answer.ok) return
      await load()
      said = fill(say().endedOthers, { n: answer.value })
    })

  const ask = (wanted: boolean) => {
    asking = wanted
    said = ''
    update()
  }

  const onVisible = () => {
    if (!document.hidden) void act(load)
  }
  document.addEventListener('visibilitychange', onVisible)
  const unlisten = monitor.on('devices', () => void reload())
  void act(load)

  const item = (entry: SessionEntry): TemplateResult => html`
    <li>
      <div>
        <strong>${placeOf(entry)}</strong>
        ${entry.client === 'web' ? nothing : html`<span>${applicationsOf(entry)}</span>`}
        <span>${fill(say().since, { time: moment(Date.parse(entry.since)) })} · <span class="mono">${entry.ip}</span></span>
      </div>
      ${
        entry.current
          ? html`<span class="here">${say().here}</span>`
          : html`<span class="acts">
              <button class="button quiet" type="button" ?disabled=${busy} @click=${() => end(entry)}>
                ${say().end}<span class="unseen"> ${placeOf(entry)}</span>
              </button>
              <button class="button quiet danger not-me" type="button" ?disabled=${busy} title=${say().notMeHint}
                @click=${() => report(entry)}>
                ${say().notMe}<span class="unseen"> ${placeOf(entry)}</span>
              </button>
            </span>`
      }
    </li>
  `

  /** The browsers that may ask the person's phone. Most people have none. */
  const remembered = (): TemplateResult | typeof nothing =>
    known.length === 0
      ? nothing
      : html`<h3>${say().browsers}</h3>
          <ul>
            ${repeat(
              known,
              ({ id }) => id,
              (browser) => html`<li>
                <div>
                  <strong>${placeOf(browser)}</strong>
                  <span>${fill(say().lastLogin, { time: moment(Date.parse(browser.last)) })} · <span class="mono">${browser.ip}</span></span>
                </div>
                <span class="acts">
                  <button class="button quiet forget" type="button" ?disabled=${busy} @click=${() => forget(browser)}>
                    ${say().forget}<span class="unseen"> ${placeOf(browser)}</span>
                  </button>
                </span>
              </li>`,
            )}
          </ul>`

  const word = (): TemplateResult | string => {
    if (trouble) return html`<span class="verdict bad">${say().noAnswer}</span>`
    return asking ? fill(say().askEndOthers, { n: (entries?.length ?? 1) - 1 }) : said
  }

  /** The same button opens the question and cancels it. So a double tap ends nothing, and the focus stays. */
  const others = (): TemplateResult => html`
    <div class="sure">
      ${
        asking
          ? html`<button class="button quiet danger" type="button" ?disabled=${busy} @click=${endOthers}>${say().sure}</button>`
          : nothing
      }
      <button class="button quiet" type="button" ?disabled=${busy} @click=${() => ask(!asking)}>
        ${asking ? say().unsure : say().endOthers}
      </button>
    </div>
  `

  return {
    view: () => html`
      <section class="card wide places">
        <h2>${say().places}</h2>
        ${entries ? html`<ul>${repeat(entries, ({ sid }) => sid, item)}</ul>` : nothing}
        ${remembered()}
        <div class="row">
          <p role="status">${word()}</p>
          ${entries && entries.length > 1 ? others() : nothing}
        </div>
      </section>
    `,
    close: () => {
      document.removeEventListener('visibilitychange', onVisible)
      unlisten()
    },
  }
}

/** What was entered with one login. */
const applicationsOf = ({ app, applications = [] }: SessionEntry): string =>
  [app, ...applications.map(({ name }) => name)].join(' · ')

const placeOf = ({ browser, os }: Pick<SessionEntry, 'browser' | 'os'>): string =>
  [browser, os].filter(Boolean).join(' · ') || say().unknownPlace

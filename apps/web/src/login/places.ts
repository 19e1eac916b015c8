import { type Answer, createDevices, type Session } from '@saoma/client'
import type { SessionEntry } from '@saoma/protocol'
import { html, nothing, type TemplateResult } from 'lit'
import { clock } from '../demo/clock.ts'
import { fill } from '../language.ts'
import { say } from './text.ts'

export interface Places {
  view(): TemplateResult
  close(): void
}

/** Where the person is logged in, with a button to end each login but this one. */
export const createPlaces = (session: Session, origin: string, update: () => void): Places => {
  const devices = createDevices({ origin, token: session.accessToken })
  let entries: SessionEntry[] | undefined
  let busy = false
  let trouble = false
  let said = ''

  /** False when there is nothing to go on with. */
  const check = (answer: Answer<unknown>): boolean => {
    if (answer.ok) return true
    // Ended by the other side in the same moment: as good as done.
    if (answer.code === 'SESSION_NOT_FOUND') return true
    if (answer.code === 'REVOKED') void session.recheck()
    trouble = true
    return false
  }

  const load = async () => {
    const answer = await devices.list()
    if (check(answer) && answer.ok) entries = answer.value
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

  const end = (entry: SessionEntry) =>
    act(async () => {
      if (!check(await devices.end(entry.sid))) return
      said = fill(say().endedOne, { place: placeOf(entry) })
      await load()
    })

  const endOthers = () =>
    act(async () => {
      const answer = await devices.endAll({ keepCurrent: true })
      if (!check(answer) || !answer.ok) return
      said = fill(say().endedOthers, { n: answer.value })
      await load()
    })

  const onVisible = () => {
    if (!document.hidden) void act(load)
  }
  document.addEventListener('visibilitychange', onVisible)
  void act(load)

  const item = (entry: SessionEntry): TemplateResult => html`
    <li>
      <div>
        <strong>${placeOf(entry)}</strong>
        <span>${fill(say().since, { time: clock(Date.parse(entry.since)) })} · <span class="mono">${entry.ip}</span></span>
      </div>
      ${
        entry.current
          ? html`<span class="here">${say().here}</span>`
          : html`<button class="button quiet" type="button" ?disabled=${busy} @click=${() => end(entry)}>
              ${say().end}<span class="unseen"> ${placeOf(entry)}</span>
            </button>`
      }
    </li>
  `

  return {
    view: () => html`
      <section class="card wide places">
        <h2>${say().places}</h2>
        ${entries ? html`<ul>${entries.map(item)}</ul>` : nothing}
        <div class="row">
          <p role="status">${trouble ? html`<span class="verdict bad">${say().noAnswer}</span>` : said}</p>
          ${
            entries && entries.length > 1
              ? html`<button class="button" type="button" ?disabled=${busy} @click=${endOthers}>${say().endOthers}</button>`
              : nothing
          }
        </div>
      </section>
    `,
    close: () => document.removeEventListener('visibilitychange', onVisible),
  }
}

const placeOf = ({ browser, os }: SessionEntry): string =>
  [browser, os].filter(Boolean).join(' · ') || say().unknownPlace

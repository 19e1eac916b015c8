import { html, nothing, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { clock } from '../demo/clock.ts'
import { fill } from '../language.ts'
import type { Inbox, Notice } from './inbox.ts'
import { say } from './text.ts'

const DELAY_SECONDS = 10

export const inboxView = (inbox: Inbox): TemplateResult => html`
  <h1 tabindex="-1">${say().heading}</h1>
  <p class="lead">${say().hint}</p>
  <div class="sides">
    <section class="card" aria-labelledby="messages">
      <div class="row apart">
        <h2 id="messages">${say().messages}</h2>
        <span class="count" role="status" data-unread=${inbox.unread}>${sayUnread(inbox.unread)}</span>
        <button class="button small quiet" type="button" ?disabled=${inbox.unread === 0} @click=${() => void inbox.markRead()}>
          ${say().readAll}
        </button>
      </div>
      <p class="error" role="alert">${inbox.trouble ? say().notRead : nothing}</p>
      ${inbox.lost ? html`<p class="notice">${say().lost}</p>` : nothing}
      ${
        inbox.notices.length === 0
          ? html`<p class="hint">${say().empty}</p>`
          : html`<ol class="notices" aria-live="polite">
              ${repeat(
                inbox.notices,
                ({ offset }) => offset,
                (notice) => noticeView(inbox, notice),
              )}
            </ol>`
      }
    </section>
    ${askView(inbox)}
  </div>
`

const noticeView = (inbox: Inbox, { offset, text, time }: Notice): TemplateResult => {
  const isNew = offset > inbox.read
  return html`<li class=${isNew ? 'new' : ''} data-offset=${offset}>
    <p class="theirs">${text ?? html`<em>${say().other}</em>`}</p>
    <p class="row apart">
      <span class="hint">
        <time datetime=${new Date(time).toISOString()}>${clock(time)}</time>
        ${isNew ? html` · <strong class="mark-new">${say().isNew}</strong>` : nothing}
      </span>
      ${
        isNew
          ? html`<button class="plain" type="button" @click=${() => void inbox.markRead(offset)}>${say().readHere}</button>`
          : nothing
      }
    </p>
  </li>`
}

const askView = (inbox: Inbox): TemplateResult => {
  const { sent } = inbox
  return html`<section class="card" aria-labelledby="ask">
    <h2 id="ask">${say().ask}</h2>
    <form
      @submit=${(event: SubmitEvent) => {
        event.preventDefault()
        const text = String(new FormData(event.target as HTMLFormElement).get('text') ?? '').trim()
        const delay = event.submitter?.getAttribute('value') === 'later' ? DELAY_SECONDS : 0
        void inbox.ask(text || say().sample, delay)
      }}
    >
      <label for="text">${say().text}</label>
      <input id="text" name="text" maxlength="200" autocomplete="off" placeholder=${say().sample} />
      <div class="row">
        <button class="button" type="submit" ?disabled=${sent === 'sending'}>${say().now}</button>
        <button class="button quiet" type="submit" value="later" ?disabled=${sent === 'sending'}>${say().later}</button>
      </div>
      <p role="status" class=${sent === 'failed' || sent === 'busy' ? 'error' : 'hint'}>
        ${sent === 'none' || sent === 'sending' ? nothing : say()[sent]}
      </p>
    </form>
  </section>`
}

const sayUnread = (n: number): string => {
  const { none, one, other } = say().unread
  return n === 0 ? none : n === 1 ? one : fill(other, { n })
}

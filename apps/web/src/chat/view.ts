import { html, nothing, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { clock } from '../demo/clock.ts'
import type { Person } from '../demo/demo.ts'
import { fill } from '../language.ts'
import { type Chat, type Missing, MOST_TEXT, type Pending, type Said } from './chat.ts'
import { say, sayHere, sayTyping } from './text.ts'

const MOST_PEOPLE = 30

export const chatView = (room: string, chat: Chat, me: Person): TemplateResult => html`
  <h1 tabindex="-1">${fill(say().heading, { room })}</h1>
  <p class="lead">${say().hint}</p>
  <div class="room">
    <section class="card talk" aria-label=${say().messages}>
      ${
        chat.entries.length + chat.pending.length === 0
          ? html`<p class="hint">${say().empty}</p>`
          : html`<ol class="said" role="log" tabindex="0" aria-label=${say().messages}>
              ${repeat(
                chat.entries,
                (entry) => `${entry.kind} ${entry.offset}`,
                (entry) => (entry.kind === 'said' ? saidView(entry, me) : missingView(entry)),
              )}
              ${repeat(
                chat.pending,
                ({ id }) => id,
                (entry) => pendingView(entry, chat),
              )}
            </ol>`
      }
      <p class="typing hint">${chat.typing.length > 0 ? sayTyping(chat.typing) : nothing}</p>
      <form class="row" @submit=${(event: SubmitEvent) => submit(event, chat)}>
        <label class="unseen" for="text">${say().write}</label>
        <input id="text" name="text" maxlength=${MOST_TEXT} autocomplete="off" placeholder=${say().write} @input=${chat.type} />
        <button class="button" type="submit">${say().send}</button>
      </form>
    </section>
    <aside class="card" aria-labelledby="here">
      <h2 id="here" aria-live="polite" data-count=${chat.count}>${sayHere(chat.count)}</h2>
      <ul class="people">
        ${[...chat.people].slice(0, MOST_PEOPLE).map(
          (id) => html`<li title=${id}>
            <span class="dot" aria-hidden="true"></span><span class="theirs">${chat.nameOf(id)}</span>
            ${id === me.id ? html`<span class="hint">(${say().me})</span>` : nothing}
          </li>`,
        )}
      </ul>
      ${
        chat.count > MOST_PEOPLE
          ? html`<p class="hint">${fill(say().others, { n: chat.count - MOST_PEOPLE })}</p>`
          : nothing
      }
    </aside>
  </div>
`

const saidView = ({ from, name, text, time, offset }: Said, me: Person): TemplateResult => html`
  <li class=${from === me.id ? 'mine' : ''} data-offset=${offset}>
    <p class="head"><strong title=${from}>${name}</strong> <time class="hint" datetime=${new Date(time).toISOString()}>${clock(time)}</time></p>
    <p class="theirs">${text}</p>
  </li>
`

const missingView = (_: Missing): TemplateResult => html`<li class="notice">${say().missing}</li>`

const pendingView = ({ id, text, failure }: Pending, chat: Chat): TemplateResult => html`
  <li class="mine pending">
    <p class="theirs">${text}</p>
    ${
      failure
        ? html`<p class="error">
            ${fill(say().failed, { code: failure })}
            <button class="plain" type="button" @click=${() => chat.again(id)}>${say().again}</button>
          </p>`
        : html`<p class="hint">${say().sending}</p>`
    }
  </li>
`

const submit = (event: SubmitEvent, chat: Chat): void => {
  event.preventDefault()
  const form = event.target as HTMLFormElement
  chat.say(String(new FormData(form).get('text') ?? ''))
  form.reset()
}

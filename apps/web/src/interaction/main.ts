import type { SaomaLoginEvents } from '@saoma/client/element'
import '@saoma/client/element'
import { html, render, type TemplateResult } from 'lit'
import { header } from '../frame.ts'
import { fill, suggest } from '../language.ts'
import { sayScope } from '../scopes.ts'
import { createApi, type Details, type Step } from './api.ts'
import { say } from './text.ts'
import { headingBeside, sentence } from './view.ts'

const root = document.querySelector<HTMLElement>('#app')
const { pathname } = location
const api = createApi(pathname)
/** The code on this page is for this authorization request only. */
const clientId = `login:${pathname.split('/').at(-1)}`

type State = { is: 'loading' | 'over' } | { is: 'asking' | 'going'; details: Details }
let state: State = { is: 'loading' }

const finish = async (details: Details, step: Step, token?: string): Promise<void> => {
  if (state.is !== 'asking') return
  enter({ is: 'going', details })
  const address = await api.finish(step, token)
  if (address === undefined) enter({ is: 'over' })
  // Not in the history: going back would lead to a request that is over.
  else location.replace(address)
}

const heading = ({ application }: Details, text: string): TemplateResult =>
  headingBeside(application, fill(text, { name: application.name }))

const login = (details: Details): TemplateResult => {
  const { name } = details.application
  return html`
    <main class="welcome">
      <div class="intro">
        ${heading(details, say().heading)}
        <p class="lead">${say().lead}</p>
        <ol class="steps">
          ${say().steps.map(([verb, how]) => html`<li><strong>${verb}</strong><span>${fill(how, { name })}</span></li>`)}
        </ol>
        <p class="choices">
          <button class="button quiet" type="button" @click=${() => finish(details, 'abort')}>
            ${fill(say().cancel, { name })}
          </button>
        </p>
      </div>
      <saoma-login
        lang=${document.documentElement.lang}
        client-id=${clientId}
        scope="openid"
        remember
        @saoma-login=${({ detail }: SaomaLoginEvents['saoma-login']) =>
          finish(details, 'login', detail.tokens.access_token)}
      ></saoma-login>
    </main>
  `
}

const consent = (details: Details): TemplateResult => {
  const asks = [...details.scopes.map(sayScope), ...details.claims.map((name) => fill(say().claim, { name }))]
  return html`
    <main class="inside">
      <section class="card wide">
        ${heading(details, say().consent)}
        <p>${say().asks}</p>
        <ul class="asks">${(asks.length > 0 ? asks : [say().nothing]).map((what) => html`<li>${what}</li>`)}</ul>
        <div class="choices">
          <button class="button" type="button" @click=${() => finish(details, 'consent')}>${say().agree}</button>
          <button class="button" type="button" @click=${() => finish(details, 'abort')}>${say().decline}</button>
        </div>
      </section>
    </main>
  `
}

const body = (): TemplateResult => {
  switch (state.is) {
    case 'loading':
      return sentence(say().loading)
    case 'over':
      return sentence(say().over, say().again)
    case 'going':
      return sentence(fill(say().goingOn, { name: state.details.application.name }))
    case 'asking':
      return state.details.prompt === 'login' ? login(state.details) : consent(state.details)
  }
}

const update = (): void => {
  if (!root) return
  document.title = fill(say().title, { name: 'details' in state ? state.details.application.name : 'Saoma' })
  render(html`${header(update)} ${body()}<footer class="bottom"><span>${say().footer}</span></footer>`, root)
}

const enter = (next: State): void => {
  state = next
  update()
}

update()
const details = await api.details()
if (details) suggest(details.languages)
enter(details ? { is: 'asking', details } : { is: 'over' })
document.querySelector<HTMLElement>('h1')?.focus()

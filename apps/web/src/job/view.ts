import { html, nothing, type TemplateResult } from 'lit'
import { fill } from '../language.ts'
import type { Job, Quote, Screen } from './job.ts'
import { say } from './text.ts'

export const jobView = (job: Job): TemplateResult => html`
  <h1 tabindex="-1">${say().heading}</h1>
  <p class="lead">${say().hint}</p>
  <section class="card job" data-status=${job.screen.status} aria-live="polite">${inside(job)}</section>
`

const inside = (job: Job): TemplateResult => {
  const { screen } = job
  switch (screen.status) {
    case 'asking':
    case 'starting':
      return question(job, screen)
    case 'waiting':
      return html`
        <h2>${fill(say().to, { city: screen.city || '…' })}</h2>
        ${steps(2)}
        <p class="waiting">${say().waiting}</p>
      `
    case 'done':
      return html`
        <h2>${fill(say().to, { city: screen.city })}</h2>
        ${steps(3)}
        <p class="arrived">✓ ${say().done}</p>
        ${quoteView(screen.quote)} ${another(job)}
      `
    case 'failed':
    case 'refused':
      return html`<p class="error">${say()[screen.status]}</p>${another(job)}`
  }
}

const question = (job: Job, screen: Extract<Screen, { status: 'asking' | 'starting' }>): TemplateResult => html`
  <form
    @submit=${(event: SubmitEvent) => {
      event.preventDefault()
      const city = String(new FormData(event.target as HTMLFormElement).get('city') ?? '').trim()
      void job.ask(city || say().sample)
    }}
  >
    <label for="city">${say().city}</label>
    <input id="city" name="city" maxlength="60" autocomplete="off" placeholder=${say().sample} />
    <button class="button" type="submit" ?disabled=${screen.status === 'starting'}>${say().ask}</button>
    <p class="error" role="alert">${'error' in screen && screen.error ? say()[screen.error] : nothing}</p>
  </form>
`

const steps = (reached: number): TemplateResult => html`
  <ol class="steps">
    ${say().steps.map(
      (step, i) =>
        html`<li class=${i < reached ? 'reached' : ''} aria-current=${i === reached ? 'step' : nothing}>${step}</li>`,
    )}
  </ol>
`

const quoteView = ({ number, price, days }: Quote): TemplateResult => {
  const { one, other } = say().inDays
  return html`<dl class="facts">
    <dt>${say().price}</dt><dd><strong>¥${(price / 100).toFixed(2)}</strong></dd>
    <dt>${say().days}</dt><dd>${days === 1 ? one : fill(other, { n: days })}</dd>
    <dt>${say().number}</dt><dd class="mono">${number}</dd>
  </dl>`
}

const another = (job: Job): TemplateResult => html`
  <p class="row"><button class="button quiet" type="button" @click=${job.again}>${say().again}</button></p>
`

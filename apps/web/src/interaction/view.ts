import { html, nothing, type TemplateResult } from 'lit'
import type { Application } from './api.ts'

/* What the pages of authorization requests and of logouts share. */

/** A heading beside the picture of the application, if it has one. */
export const headingBeside = (application: Application | undefined, heading: string): TemplateResult => html`
  <div class="application">
    ${application?.logo ? html`<img src=${application.logo} alt="" referrerpolicy="no-referrer" />` : nothing}
    <h1 tabindex="-1">${heading}</h1>
  </div>
`

/** A page that has nothing but something to say. */
export const sentence = (...lines: readonly string[]): TemplateResult =>
  html`<main class="inside"><section class="card wide" role="status">${lines.map((line) => html`<p>${line}</p>`)}</section></main>`

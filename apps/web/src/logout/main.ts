import { html, render, type TemplateResult } from 'lit'
import { header } from '../frame.ts'
import { type Application, ask } from '../interaction/api.ts'
import { headingBeside, sentence } from '../interaction/view.ts'
import { fill } from '../language.ts'
import { say } from './text.ts'

/** What the person is asked about. PROTOCOL.md has its members. */
interface Details {
  xsrf: string
  application?: Application
}

const root = document.querySelector<HTMLElement>('#app')

let state: 'loading' | 'over' | 'done' | Details = location.pathname.endsWith('/done') ? 'done' : 'loading'

/** The answer leads on to the application, so it is a form and no call of this page. */
const question = ({ xsrf, application }: Details): TemplateResult => {
  const name = application?.name
  return html`
    <main class="inside">
      <section class="card wide">
        ${headingBeside(application, say().heading)}
        <p>${name === undefined ? say().asksSelf : fill(say().asks, { name })}</p>
        <p>${say().ends}</p>
        <form class="choices" method="post" action="/oidc/session/end/confirm">
          <input type="hidden" name="xsrf" value=${xsrf} />
          <button class="button" type="submit" name="logout" value="yes">${say().all}</button>
          <button class="button quiet" type="submit">
            ${name === undefined ? say().stay : fill(say().onlyThis, { name })}
          </button>
        </form>
      </section>
    </main>
  `
}

const update = (): void => {
  if (!root) return
  document.title = say().title
  const body = typeof state === 'string' ? sentence(say()[state]) : question(state)
  render(html`${header(update)} ${body}`, root)
}

update()
if (state === 'loading') {
  state = ((await ask('/oidc/logout/details')) as Details | undefined) ?? 'over'
  update()
  document.querySelector<HTMLElement>('h1')?.focus()
}

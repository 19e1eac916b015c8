import { html, render } from 'lit'
import { header } from '../frame.ts'
import { createPhoneApi } from './api.ts'
import { createPhone, type Screen } from './phone.ts'
import { say } from './text.ts'
import { screenView } from './view.ts'

const root = document.querySelector<HTMLElement>('#app')
const ticket = new URLSearchParams(location.search).get('ticket') ?? undefined
let last: Screen | undefined

const update = (): void => {
  if (!root) return
  document.title = say().title
  render(
    html`
      ${header(update)}
      <main>${screenView(phone)}</main>
      <footer class="bottom">${say().footer}</footer>
    `,
    root,
  )
  // A new screen begins at its heading, for screen readers and the keyboard too. That the list of requests
  // has changed interrupts nobody who types.
  const isSame = last === phone.screen || (last?.status === 'typing' && phone.screen.status === 'typing')
  if (last && !isSame) document.querySelector<HTMLElement>('[data-start]')?.focus()
  last = phone.screen
}

const phone = createPhone(createPhoneApi(location.origin), ticket, update)
update()
setInterval(() => {
  if (phone.screen.status === 'asking') update()
}, 1_000)

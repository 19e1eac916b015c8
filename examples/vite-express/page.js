import '@saoma/client/element'
import { createLive, createSession } from '@saoma/client'

const origin = import.meta.env.VITE_SAOMA_ORIGIN
const [element, who, form, lines] = document.querySelectorAll('saoma-login, #who, form, pre')
const show = (text) => lines.append(`${text}\n`)

const session = createSession({ origin })
const enter = () => {
  element.remove()
  who.textContent = `Hello, ${session.claims.name}.`
  const live = createLive({ origin, token: session })
  live.on('ended', () => session.recheck())
  live.channel('@user', { history: 5 }).on('message', ({ data }) => show(`for you: ${data.text}`))
  const lobby = live.channel('room:lobby')
  lobby.on('message', ({ data }) => show(`in the lobby: ${data.text}`))
  lobby.on('state', (state) => form.toggleAttribute('hidden', state !== 'live'))
}
session.on('ended', () => location.reload())
if (session.tokens) enter()
else Object.assign(element, { origin, session }).addEventListener('saoma-login', enter)

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const headers = { authorization: `Bearer ${(await session.accessToken()).value}`, 'content-type': 'application/json' }
  const answer = await fetch('/say', {
    method: 'POST',
    headers,
    body: JSON.stringify({ text: form.elements.text.value }),
  })
  if (!answer.ok) show(`not said: ${answer.status}`)
})

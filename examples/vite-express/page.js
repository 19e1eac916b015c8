import '@saoma/client/element'
import { createLive, createSession } from '@saoma/client'

const origin = import.meta.env.VITE_SAOMA_ORIGIN
const show = (text) => document.querySelector('pre').insertAdjacentText('beforeend', `${text}\n`)

const session = createSession({ origin })
const element = document.querySelector('saoma-login')
Object.assign(element, { origin, session })
element.addEventListener('saoma-login', () => {
  element.remove()
  document.querySelector('#who').textContent = `Hello, ${session.claims.name}.`
  const form = document.querySelector('form')

  const live = createLive({ origin, token: session })
  live.channel('@user', { history: 5 }).on('message', ({ data }) => show(`for you: ${data.text}`))
  const lobby = live.channel('room:lobby')
  lobby.on('message', ({ data }) => show(`in the lobby: ${data.text}`))
  lobby.on('state', (state) => form.toggleAttribute('hidden', state !== 'live'))

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const token = await session.accessToken()
    const headers = { authorization: `Bearer ${token.value}`, 'content-type': 'application/json' }
    await fetch('/say', { method: 'POST', headers, body: JSON.stringify({ text: form.elements.text.value }) })
    form.reset()
  })
})

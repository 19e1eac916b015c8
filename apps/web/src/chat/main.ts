import { showDemo } from '../demo/demo.ts'
import { createChat } from './chat.ts'
import { chatView } from './view.ts'

const asked = new URLSearchParams(location.search).get('room') ?? ''
const name = /^[A-Za-z0-9_-]{1,32}$/.test(asked) ? asked : 'lobby'
// Keeps the room in the address, so that a shared address opens the same room.
if (asked !== name) history.replaceState(null, '', `?room=${name}`)
/** Within this distance from the end the person is reading along. */
const NEAR_PX = 80

/** Keeps the newest message in view, unless the person has scrolled back. */
const drawAtEnd = (update: () => void) => (): void => {
  const before = document.querySelector('.said')
  const isAtEnd = !before || before.scrollHeight - before.scrollTop - before.clientHeight < NEAR_PX
  update()
  const list = document.querySelector('.said')
  if (isAtEnd && list) list.scrollTop = list.scrollHeight
}

showDemo('chat', ({ live, me, update }) => {
  const chat = createChat(name, { live, me, update: drawAtEnd(update) })
  return {
    view: () => chatView(name, chat, me),
    waitingSince: () => chat.pending.find(({ failure }) => !failure)?.since,
    close: chat.close,
  }
})

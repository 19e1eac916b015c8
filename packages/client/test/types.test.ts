import type { SaomaLogin } from '../src/element/element.ts'
import type { Live } from '../src/live/live.ts'
import type { Publisher } from '../src/server.ts'
import type { Session } from '../src/session/session.ts'

interface Chat {
  said: { text: string }
  left: { reason?: string }
}

/** Never called: that it compiles is the test, and that its mistakes do not. */
const use = async (live: Live, publisher: Publisher<Chat>) => {
  const room = live.channel<Chat>('room:lobby')
  room.on('message', (message) => {
    if (message.event === 'said') message.data.text satisfies string
    else message.data satisfies Chat['left']
    message.offset satisfies number
    // @ts-expect-error no such event
    if (message.event === 'shouted') return
    // @ts-expect-error not before one knows which event it is
    message.data.text
  })
  // @ts-expect-error volatile messages have no position
  room.on('volatile', ({ offset }) => offset)
  const answer = await room.publish('said', { text: 'hi' })
  if (answer.ok) answer.value.connections satisfies number
  else answer.react satisfies string
  // @ts-expect-error no such event
  await room.publish('shouted', { text: 'hi' })
  // @ts-expect-error this event has other data
  await room.publish('said', { words: 'hi' })

  const untyped = live.channel('@user')
  untyped.on('message', ({ event, data }) => {
    event satisfies string
    // @ts-expect-error nobody said what the data is
    data.text
  })
  await untyped.publish('anything', [1])

  await publisher.publish({ channel: 'room:lobby', event: 'left', data: {} })
  const many = await publisher.publish([{ channel: 'room:lobby', event: 'said', data: { text: 'hi' } }])
  many.length satisfies number
  // @ts-expect-error this event has other data
  await publisher.publish({ channel: 'room:lobby', event: 'said', data: { reason: 'tired' } })
}

/** Never called either: a page with the element, which is found by its tag. */
const place = (session: Session) => {
  const element = document.querySelector('saoma-login')
  if (!element) return
  element satisfies SaomaLogin
  element.session = session
  element.session = { adopt: ({ access_token: token }) => void (token satisfies string) }
  element.session = undefined
  // @ts-expect-error it takes no tokens
  element.session = { origin: 'https://login.example.com' }
  element.addEventListener('saoma-login', ({ detail }) => detail.tokens.access_token satisfies string)
  document.addEventListener('saoma-login', ({ detail }) => detail.tokens.access_token satisfies string)
  addEventListener('saoma-state', ({ detail }) => detail.state.status satisfies string)
  // @ts-expect-error this event has other details
  element.addEventListener('saoma-picture', ({ detail }) => detail.tokens)
}

test('events and their data are typed', () => {
  expect(use).toHaveLength(2)
  expect(place).toHaveLength(1)
})

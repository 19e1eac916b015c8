// The page of the API documents. Swagger UI shows the one of HTTP. No viewer of AsyncAPI runs under the
// policy of these pages, so the other one is shown here: each channel with its operations and their schemas.

const element = (name, { text, className } = {}, ...children) => {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  if (className) made.className = className
  made.append(...children)
  return made
}

/** Text in which names are between backticks. */
const prose = (text) => text.split('`').map((part, i) => (i % 2 ? element('code', { text: part }) : part))

/** The part of a document that a reference names: `#/channels/live`. */
const partOf = (api, { $ref }) =>
  $ref
    .slice(2)
    .split('/')
    .reduce((part, key) => part[key.replaceAll('~1', '/').replaceAll('~0', '~')], api)

const schemaOf = (api, { payload }) => (payload.$ref ? partOf(api, payload) : payload)

const payloadOf = (api, title, message) => [
  element('h4', { text: title }),
  element('pre', { text: JSON.stringify(schemaOf(api, message), undefined, 2) }),
]

const operationOf = (api, { action, summary, description, messages, reply }) => {
  const [message] = messages.map((reference) => partOf(api, reference))
  const [answer] = (reply?.messages ?? []).map((reference) => partOf(api, reference))
  return element(
    'details',
    {},
    element(
      'summary',
      {},
      element('span', { text: action === 'receive' ? 'to the server' : 'to the client', className: 'direction' }),
      element('code', { text: message.name }),
      ...prose(summary),
    ),
    element(
      'div',
      { className: 'body' },
      ...(description ? [element('p', {}, ...prose(description))] : []),
      ...payloadOf(api, action === 'receive' ? 'Request' : 'Body', message),
      ...(answer ? payloadOf(api, 'Answer', answer) : []),
    ),
  )
}

const channelOf = (api, id, { address, title, description }) => [
  element('h2', { text: title }),
  element('p', {}, element('code', { text: address }), ' ', ...prose(description)),
  ...Object.values(api.operations)
    .filter(({ channel }) => channel.$ref === `#/channels/${id}`)
    .map((operation) => operationOf(api, operation)),
]

const namedSchemas = ({ components }) => [
  element('h2', { text: 'Schemas' }),
  ...Object.entries(components.schemas).map(([name, schema]) =>
    element(
      'details',
      {},
      element('summary', {}, element('code', { text: name })),
      element('div', { className: 'body' }, element('pre', { text: JSON.stringify(schema, undefined, 2) })),
    ),
  ),
]

const showEvents = async (place) => {
  const answer = await fetch('/docs/asyncapi.json')
  if (!answer.ok) {
    place.append(element('p', { text: `The document cannot be loaded (${answer.status}). Reload the page.` }))
    return
  }
  const api = await answer.json()
  const { title, version, description } = api.info
  place.append(
    element('h1', { text: `${title} ${version}` }),
    element('p', {}, ...prose(description)),
    ...Object.entries(api.channels).flatMap(([id, channel]) => channelOf(api, id, channel)),
    ...namedSchemas(api),
  )
}

/** Shows the section that the address names. */
const show = () => {
  const isEvents = location.hash === '#events'
  document.querySelector('#http').hidden = isEvents
  document.querySelector('#events').hidden = !isEvents
  for (const link of document.querySelectorAll('nav a[href^="#"]')) {
    if ((link.getAttribute('href') === '#events') === isEvents) link.setAttribute('aria-current', 'true')
    else link.removeAttribute('aria-current')
  }
}

window.addEventListener('hashchange', show)
// Swagger UI listens for clicks on the whole page and changes the address by itself, without that event.
document.querySelector('nav').addEventListener('click', (event) => event.stopPropagation())
show()
window.SwaggerUIBundle({
  url: '/docs/openapi.json',
  dom_id: '#http',
  // By default a foreign host validates the document.
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
})
await showEvents(document.querySelector('#events'))

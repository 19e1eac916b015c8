// A backend with Fastify 5: only people who logged in with Saoma get an answer.
//
//   SAOMA_ORIGIN=https://login.example.com PORT=3000 node examples/backends/fastify.js
//   curl -H "Authorization: Bearer $ACCESS_TOKEN" http://127.0.0.1:3000/me

import { bearerOf, createVerifier } from '@saoma/client/server'
import Fastify from 'fastify'

// One verifier for the whole process: it keeps Saoma's keys.
const verifier = createVerifier({ origin: process.env.SAOMA_ORIGIN })

/** Lets a request through if its token is good. `request.person` then holds the claims. */
const signedIn = async (request, reply) => {
  const verified = await verifier.verify(bearerOf(request.headers.authorization))
  if (verified.ok) {
    request.person = verified.value
    return
  }
  // 503 says that the same token may be good in a moment.
  if (verified.status === 503) {
    console.error(verified.message)
    reply.header('Retry-After', '2')
  } else {
    reply.header('WWW-Authenticate', 'Bearer')
  }
  return reply.code(verified.status).send({ code: verified.code })
}

const app = Fastify()
app.decorateRequest('person', null)

app.get('/me', { onRequest: signedIn }, async ({ person }) => ({ user: person.sub, session: person.sid }))

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
console.log(`listening on ${app.server.address().port}`)

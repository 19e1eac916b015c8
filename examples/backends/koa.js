// A backend with Koa 3: only people who logged in with Saoma get an answer.
//
//   SAOMA_ORIGIN=https://login.example.com PORT=3000 node examples/backends/koa.js
//   curl -H "Authorization: Bearer $ACCESS_TOKEN" http://127.0.0.1:3000/me

import { bearerOf, createVerifier } from '@saoma/client/server'
import Koa from 'koa'

// One verifier for the whole process: it keeps Saoma's keys.
const verifier = createVerifier({ origin: process.env.SAOMA_ORIGIN })

/** Lets a request through if its token is good. `ctx.state.person` then holds the claims. */
const signedIn = async (ctx, next) => {
  const verified = await verifier.verify(bearerOf(ctx.get('Authorization')))
  if (verified.ok) {
    ctx.state.person = verified.value
    return next()
  }
  // 503 says that the same token may be good in a moment.
  if (verified.status === 503) {
    console.error(verified.message)
    ctx.set('Retry-After', '2')
  } else {
    ctx.set('WWW-Authenticate', 'Bearer')
  }
  ctx.status = verified.status
  ctx.body = { code: verified.code }
}

const app = new Koa()

// Everything behind this line is for people who are logged in.
app.use(signedIn)

app.use((ctx) => {
  if (ctx.path !== '/me') return
  ctx.body = { user: ctx.state.person.sub, session: ctx.state.person.sid }
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on ${server.address().port}`)
})

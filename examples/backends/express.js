// A backend with Express 5: only people who logged in with Saoma get an answer.
//
//   SAOMA_ORIGIN=https://login.example.com PORT=3000 node examples/backends/express.js
//   curl -H "Authorization: Bearer $ACCESS_TOKEN" http://127.0.0.1:3000/me

import { bearerOf, createVerifier } from '@saoma/client/server'
import express from 'express'

// One verifier for the whole process: it keeps Saoma's keys.
const verifier = createVerifier({ origin: process.env.SAOMA_ORIGIN })

/** Lets a request through if its token is good. `req.person` then holds the claims. */
const signedIn = async (req, res, next) => {
  const verified = await verifier.verify(bearerOf(req.get('Authorization')))
  if (verified.ok) {
    req.person = verified.value
    return next()
  }
  // 503 says that the same token may be good in a moment.
  if (verified.status === 503) {
    console.error(verified.message)
    res.set('Retry-After', '2')
  } else {
    res.set('WWW-Authenticate', 'Bearer')
  }
  res.status(verified.status).json({ code: verified.code })
}

const app = express()

app.get('/me', signedIn, (req, res) => {
  res.json({ user: req.person.sub, session: req.person.sid })
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error
  console.log(`listening on ${server.address().port}`)
})

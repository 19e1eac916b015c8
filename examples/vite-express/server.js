import { bearerOf, createPublisher, createVerifier } from '@saoma/client/server'
import express from 'express'

const origin = process.env.SAOMA_ORIGIN
const verifier = createVerifier({ origin })
const publisher = createPublisher({ origin, apiKey: process.env.SAOMA_API_KEY })

const app = express()
app.use(express.static('dist'))

app.post('/say', express.json(), async (req, res) => {
  const person = await verifier.verify(bearerOf(req.get('Authorization')))
  if (!person.ok) return res.status(person.status).json({ code: person.code })
  const text = String(req.body?.text ?? '')
  const answers = await publisher.publish([
    { channel: 'room:lobby', event: 'said', data: { text } },
    { channel: `user:${person.value.sub}`, event: 'noted', data: { text: `you said "${text}"` } },
  ])
  for (const { ok, code, message } of answers) if (!ok) console.error(code, message)
  res.status(answers.every(({ ok }) => ok) ? 200 : 502).end()
})

app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => console.log(error?.message ?? 'ready'))

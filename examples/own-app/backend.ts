// The backend of a company's own app, for a trial: it has a login of its own, and signs the tokens with which
// the app becomes a phone of Saoma. docs/own-app.md says how to run it.
//
//   AUDIENCE=http://127.0.0.1:8080 node examples/own-app/backend.ts

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

const { AUDIENCE = 'http://127.0.0.1:8080', PORT = '4300', ISSUER } = process.env

/** A real backend keeps its key, and publishes the next one before it signs with it. */
const KID = 'first'
const { publicKey, privateKey } = await generateKeyPair('ES256')
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: KID, alg: 'ES256', use: 'sig' }] }

/** Who is logged in to the app. Here anybody may be anybody: put your own login in its place. */
const sessions = new Map<string, string>()

/**
 * A token that says who the person is, to Saoma alone and for one use. It lives as long as the way from here
 * to there takes.
 *
 * @param jkt  thumbprint of the app's key. Then only the app that has the key can use the token
 */
const signFor = (person: string, jkt?: string): Promise<string> =>
  new SignJWT({ name: person, ...(jkt ? { cnf: { jkt } } : {}) })
    .setProtectedHeader({ alg: 'ES256', kid: KID, typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setSubject(person)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1 minute')
    .sign(privateKey)

const bodyOf = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  let text = ''
  for await (const chunk of request) text += chunk
  return text ? JSON.parse(text) : {}
}

const server = createServer(async (request, response) => {
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(body))
  }
  try {
    const route = `${request.method} ${request.url}`
    if (route === 'GET /jwks.json') return answer(200, jwks)
    const { person, jkt } = await bodyOf(request)
    if (route === 'POST /login' && typeof person === 'string' && person !== '') {
      const session = randomUUID()
      sessions.set(session, person)
      return answer(200, { session })
    }
    if (route === 'POST /saoma-token') {
      const known = sessions.get(request.headers.authorization?.replace('Bearer ', '') ?? '')
      if (!known) return answer(401, {})
      return answer(200, { subject_token: await signFor(known, typeof jkt === 'string' ? jkt : undefined) })
    }
    answer(404, {})
  } catch {
    answer(400, {})
  }
})
server.listen(Number(PORT), '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const issuer = ISSUER ?? address
console.log(`listening on ${address}`)

// A stand-in for a company's own mobile app: it confirms logins. docs/own-app.md says how to run it.
//
//   node examples/own-app/app.ts ana 'http://127.0.0.1:8080/l/…'

import { createHash, randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface OwnAppOptions {
  /** Where Saoma is, as its settings name it. */
  saoma: string
  /** Where the app's backend is. */
  backend: string
  /** The person's session in the app's own login. */
  session: string
  /** Where requests go. @default saoma */
  node?: () => string
}

/** An answer of Saoma. */
export interface Told {
  status: number
  body: Record<string, unknown>
}

/** What the app does with Saoma: three calls, and those of its list of logins. */
export interface OwnApp {
  /** Turns a token of the backend into that of a phone. */
  exchange(): Promise<Told>
  /** The phone has read the code. The answer says who asks: show it. */
  scan(ticket: string): Promise<Told>
  confirm(ticket: string): Promise<Told>
  reject(ticket: string): Promise<Told>
  logins(): Promise<Told>
  end(sid: string): Promise<Told>
}

/** The ticket in what the camera has read, or in the link that has opened the app. */
export const ticketIn = (address: string): string | undefined => /\/l\/([A-Za-z0-9_-]{22})$/.exec(address)?.[1]

const read = async (response: Response): Promise<Told> => {
  const text = await response.text()
  return { status: response.status, body: text ? JSON.parse(text) : {} }
}

export const createOwnApp = async ({ saoma, backend, session, node = () => saoma }: OwnAppOptions): Promise<OwnApp> => {
  // A phone makes this key in its Keystore or Secure Enclave, once, and nobody can take it out.
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const jkt = await calculateJwkThumbprint(jwk)
  let token = ''

  /** Proves for one request that it comes from the app that has the key (RFC 9449). */
  const proofOf = (method: string, url: string): Promise<string> =>
    new SignJWT({
      htm: method,
      htu: url,
      jti: randomUUID(),
      ...(token ? { ath: createHash('sha256').update(token).digest('base64url') } : {}),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey)

  const call = async (method: string, path: string): Promise<Told> =>
    read(
      await fetch(`${node()}${path}`, {
        method,
        headers: { authorization: `DPoP ${token}`, dpop: await proofOf(method, `${saoma}${path}`) },
      }),
    )

  const askBackend = async (): Promise<string> => {
    const answer = await fetch(`${backend}/saoma-token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json' },
      body: JSON.stringify({ jkt }),
    })
    return ((await answer.json()) as { subject_token: string }).subject_token
  }

  return {
    exchange: async () => {
      token = ''
      const answer = await read(
        await fetch(`${node()}/oidc/token`, {
          method: 'POST',
          headers: { dpop: await proofOf('POST', `${saoma}/oidc/token`) },
          body: new URLSearchParams({
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            client_id: 'phone',
            subject_token: await askBackend(),
            subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
          }),
        }),
      )
      if (answer.status === 200) token = String(answer.body.access_token)
      return answer
    },
    scan: (ticket) => call('POST', `/v1/tickets/${ticket}/scan`),
    confirm: (ticket) => call('POST', `/v1/tickets/${ticket}/confirm`),
    reject: (ticket) => call('POST', `/v1/tickets/${ticket}/reject`),
    logins: () => call('GET', '/v1/sessions'),
    end: (sid) => call('DELETE', `/v1/sessions/${sid}`),
  }
}

/** The person at the phone, who reads and decides. */
const main = async ([person = 'ana', address = '']: string[]): Promise<number> => {
  const { SAOMA = 'http://127.0.0.1:8080', BACKEND = 'http://127.0.0.1:4300' } = process.env
  const ticket = ticketIn(address)
  if (!ticket) {
    console.error('The second word must be the address in the picture, such as http://127.0.0.1:8080/l/…')
    return 2
  }
  const login = await fetch(`${BACKEND}/login`, { method: 'POST', body: JSON.stringify({ person }) })
  const { session } = (await login.json()) as { session: string }
  const app = await createOwnApp({ saoma: SAOMA, backend: BACKEND, session })
  const exchanged = await app.exchange()
  if (exchanged.status !== 200) {
    console.error(`The exchange was refused: ${exchanged.body.error_description ?? exchanged.body.error}`)
    return 1
  }
  const scanned = await app.scan(ticket)
  if (scanned.status !== 200) {
    console.error(`The code cannot be scanned: ${scanned.body.title}`)
    return 1
  }
  const request = scanned.body.request as Record<string, string>
  console.log(`${person}, somebody asks to log in as you:`)
  for (const name of ['app', 'userCode', 'browser', 'os', 'ip', 'requestedAt'])
    console.log(`  ${name}: ${request[name]}`)
  const reader = createInterface({ input: process.stdin, output: process.stdout })
  const word = await reader.question('Did you begin this yourself? (yes/no) ')
  reader.close()
  const { body } = word.trim() === 'yes' ? await app.confirm(ticket) : await app.reject(ticket)
  console.log((body.state as { status: string } | undefined)?.status ?? body.title)
  return 0
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'

export interface Question {
  path: string
  headers: IncomingHttpHeaders
  body: Record<string, unknown>
}

/** What a business runs: an address that questions are posted to. */
export interface BusinessServer {
  url: string
  /** Everything it was asked, oldest first. */
  questions: Question[]
  /** How it answers from now on. */
  answer: (res: ServerResponse, question: Question) => void
  /** Resolves at the next question. */
  asked(): Promise<void>
  stop(): Promise<void>
}

export const json =
  (body: unknown, status = 200): BusinessServer['answer'] =>
  (res) => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

export const startBusinessServer = async (answer: BusinessServer['answer']): Promise<BusinessServer> => {
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const question = { path: req.url ?? '', headers: req.headers, body: text ? JSON.parse(text) : {} }
    business.questions.push(question)
    server.emit('asked')
    business.answer(res, question)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const business: BusinessServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ask`,
    questions: [],
    answer,
    asked: async () => {
      await once(server, 'asked')
    },
    stop: async () => {
      forget()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const forget = onCleanup(() => business.stop())
  return business
}

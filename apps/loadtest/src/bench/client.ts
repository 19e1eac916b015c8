import { WebSocket } from 'ws'
import type { Dialogue } from './dialogues.ts'

const SERVED_TIMEOUT_MS = 20_000

/** Headers that a browser sends. A server that keeps the request keeps these headers too. */
export const browserHeaders = (origin: string): Record<string, string> => ({
  Origin: origin,
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept-Language': 'en-GB,en;q=0.9,zh-CN;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Cache-Control': 'no-cache',
  Pragma: 'no-cache',
})

export interface ClientOptions {
  url: string
  /** Origin of the client's page. */
  origin: string
  dialogue: Dialogue
  /** Called with each frame that arrives after the client is served and that needs no answer. */
  onFrame: (frame: Buffer) => void
  /** Called with the reason when the connection is lost after the client was served. */
  onLost: (reason: string) => void
}

/** A bare WebSocket that speaks a dialogue. Resolves when the server serves the client. */
export const openClient = ({ url, origin, dialogue, onFrame, onLost }: ClientOptions): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const target = new URL(dialogue.path, url)
    target.protocol = 'ws:'
    // No UTF-8 validation: the bench wrote the messages itself.
    const socket = new WebSocket(target, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      headers: browserHeaders(origin),
    })
    const timer = setTimeout(() => fail(new Error('a client was not served in time')), SERVED_TIMEOUT_MS)
    const fail = (error: Error) => {
      clearTimeout(timer)
      socket.terminate()
      reject(error)
    }
    const serve = () => {
      clearTimeout(timer)
      socket.off('message', converse)
      socket.off('close', onClose)
      socket.on('message', (frame: Buffer) => {
        const reply = frame.length === 1 ? dialogue.reply?.(frame.toString()) : undefined
        if (reply) socket.send(reply)
        else onFrame(frame)
      })
      socket.on('close', (code) => onLost(`closed with ${code}`))
      resolve(socket)
    }
    const converse = (data: Buffer) => {
      const frame = data.toString()
      if (dialogue.served && frame.startsWith(dialogue.served))
        return frame.includes('"ok":false') ? fail(new Error(frame)) : serve()
      const reply = dialogue.reply?.(frame)
      if (reply) socket.send(reply)
      else fail(new Error(`a client was sent ${frame}`))
    }
    const onClose = () => fail(new Error('a client was closed'))
    socket.on('error', fail)
    socket.on('close', onClose)
    if (dialogue.reply) socket.on('message', converse)
    else socket.once('open', serve)
  })

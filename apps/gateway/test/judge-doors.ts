import { once } from 'node:events'
import { onCleanup } from '@saoma/testing'
import WebSocket from 'ws'

/** A frame of a WebSocket: text or bytes. */
export type Frame = string | Buffer

/** A light door, and how a client speaks to it. */
export interface Judged {
  /** Origin of the node. */
  origin: string
  /** The query that leads to the light door. */
  only: Readonly<Record<string, string>>
  /** The packet that joins the namespace. */
  join: string
  /**
   * Comes after each frame: its answer tells that the frame was read and, unless it is RATE_LIMITED,
   * answered.
   */
  mark: string
  /** How the answer to it begins. */
  marked: string
}

/** What is by chance, or by the moment, is made the same. */
const plain = (frame: string): string =>
  frame
    .replace(/"sid":"[^"]+"/, '"sid":"…"')
    // The door refuses the other namespace, and Socket.IO what is not given to it.
    .replace(/^44\{.*\}$/, '44{…}')

/** All that is said back to these frames, and how it ends. */
const converse = async (
  { origin, join, mark, marked }: Judged,
  query: Readonly<Record<string, string>>,
  frames: readonly Frame[],
): Promise<string[]> => {
  const parameters = new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket.io/?${parameters}`)
  const forget = onCleanup(() => socket.terminate())
  socket.on('error', () => {})
  const heard: string[] = []
  let wake = () => {}
  let marks = 0
  let pongs = 0
  socket.on('pong', () => {
    pongs++
    wake()
  })
  socket.on('message', (data: Buffer) => {
    const text = data.toString()
    if (!text.startsWith(marked)) heard.push(plain(text))
    else if (text.includes('RATE_LIMITED')) socket.send(mark)
    else marks++
    wake()
  })
  socket.on('close', (code) => {
    heard.push(`closed ${code}`)
    wake()
  })
  const isOver = () => heard.at(-1)?.startsWith('closed') === true
  const until = async (holds: () => boolean) => {
    while (!holds() && !isOver())
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  await once(socket, 'open')
  await until(() => heard.length === 1)
  socket.send(join)
  await until(() => heard.length === 2)
  for (const frame of frames) {
    if (isOver()) break
    const before = marks
    const heardBefore = pongs
    socket.send(frame)
    // The mark must not come in one read with the frame: what Socket.IO has under way then, it answers
    // differently from what is done.
    socket.ping()
    await until(() => pongs > heardBefore)
    socket.send(mark)
    await until(() => marks > before)
  }
  forget()
  socket.terminate()
  return heard.filter((line) => line !== '2')
}

/**
 * Socket.IO is the judge: whatever a client says, a light door must answer and close as Socket.IO does.
 * Resolves with what both said.
 */
export const compareDoors = async (judged: Judged, frames: readonly Frame[]): Promise<string[]> => {
  const [ours, theirs] = await Promise.all([converse(judged, judged.only, frames), converse(judged, {}, frames)])
  expect(ours).toEqual(theirs)
  return ours
}

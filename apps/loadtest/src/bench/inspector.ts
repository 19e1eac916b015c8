import { once } from 'node:events'
import { WebSocket } from 'ws'

/** Makes Node open its inspector on a free port of the loopback interface. */
export const INSPECTED = '--inspect=127.0.0.1:0'

const ADDRESS = /ws:\/\/127\.0\.0\.1:\S+/

/** The address of the inspector, from the lines of a process. */
export const inspectorOf = (lines: readonly { text: string }[]): string => {
  const found = lines.map(({ text }) => ADDRESS.exec(text)?.[0]).find((address) => address !== undefined)
  if (found === undefined) throw new Error('the process has no inspector')
  return found
}

/** Makes V8 of another process collect all of its garbage. Resolves when it has. */
export const collectGarbage = async (inspector: string): Promise<void> => {
  const socket = new WebSocket(inspector)
  await once(socket, 'open')
  socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }))
  await once(socket, 'message')
  socket.close()
  await once(socket, 'close')
}

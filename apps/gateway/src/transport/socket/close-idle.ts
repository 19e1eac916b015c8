import type { Socket } from 'socket.io'
import { namespacesOf } from './engine.ts'

/**
 * How long a connection may be in no namespace. Socket.IO checks this
 * only until the client joins its first one.
 */
export const UNUSED_MS = 30_000

/** Listener of `disconnect`. It closes a connection that has left every namespace and does not come back. */
export function closeWhenUnused(this: Socket, reason: string): void {
  if (reason !== 'client namespace disconnect') return
  const { conn } = this
  const onClose = () => clearTimeout(timer)
  const timer = setTimeout(() => {
    conn.off('close', onClose)
    if (namespacesOf(this) === 0) conn.close()
  }, UNUSED_MS).unref()
  // Most clients leave the namespace and then close the connection. Then release the timer at once.
  conn.once('close', onClose)
}

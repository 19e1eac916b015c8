import type { Socket } from 'socket.io'
import { namespacesOf } from './engine.ts'

/**
 * How long a connection may be in no namespace. Socket.IO looks after that only until the first one is
 * joined.
 */
const UNUSED_MS = 30_000

/** Listener of `disconnect`: a connection that has left every namespace is watched by nobody else. */
export function closeWhenUnused(this: Socket, reason: string): void {
  if (reason !== 'client namespace disconnect') return
  const { conn } = this
  const onClose = () => clearTimeout(timer)
  const timer = setTimeout(() => {
    conn.off('close', onClose)
    if (namespacesOf(this) === 0) conn.close()
  }, UNUSED_MS).unref()
  // Most clients leave the namespace and then the connection: nothing of them is kept for the rest of the
  // time.
  conn.once('close', onClose)
}

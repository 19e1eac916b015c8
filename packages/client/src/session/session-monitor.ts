import { createEmitter, type Listenable } from '../core/emitter.ts'
import { createLive, type Live, type LiveOptions } from '../live/live.ts'
import { onDevicesChanged } from './devices.ts'
import type { Session } from './session.ts'

export type SessionMonitorOptions = Pick<
  LiveOptions,
  'origin' | 'doors' | 'transports' | 'shared' | 'fetch' | 'page' | 'random'
>

export interface SessionMonitorEvents {
  /** A login of the person has begun or ended somewhere, or may have: see `onDevicesChanged`. */
  devices: undefined
}

export interface SessionMonitor extends Listenable<SessionMonitorEvents> {
  close(): void
}

/**
 * Hears of the end of a session when it comes, instead of at the next refresh: the person ended it from
 * another device, or its refresh token was replayed. The session then ends with the reason `revoked`. Follows
 * the session from login to login until closed, by a live connection to the person's own channel. By the same
 * connection it hears of the person's other logins.
 *
 * A page that has a live connection already needs none of this: `live.on('ended', () => void
 * session.recheck())`, and `onDevicesChanged(live.channel('@user'), …)`.
 */
export const monitorSession = (session: Session, options: SessionMonitorOptions): SessionMonitor => {
  const events = createEmitter<SessionMonitorEvents>()
  let live: Live | undefined
  let unlistenDevices = () => {}
  /** The session that it follows. */
  let sid: string | undefined

  const open = () => {
    sid = session.claims?.sid
    const opened = createLive({ ...options, token: session })
    live = opened
    // By plain HTTP there is nothing to be told without a channel.
    const own = opened.channel('@user', { history: 0 })
    unlistenDevices = onDevicesChanged(own, () => events.emit('devices', undefined))
    opened.on('ended', async () => {
      await session.recheck()
      // If it stands after all, we listen again at its next refresh, so that nobody is asked again and again.
      if (live === opened) live = undefined
    })
  }

  const close = () => {
    unlistenDevices()
    live?.close()
    live = undefined
  }

  const follow = () => {
    if (live && session.tokens && session.claims?.sid === sid) return
    close()
    if (session.tokens) open()
  }

  const unlisten = [session.on('changed', follow), session.on('ended', follow)]
  follow()
  return {
    on: events.on,
    close: () => {
      for (const stop of unlisten) stop()
      close()
    },
  }
}

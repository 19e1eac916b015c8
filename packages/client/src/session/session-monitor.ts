import { createEmitter, type Listenable } from '../core/emitter.ts'
import { createLive, type Live, type LiveOptions } from '../live/live.ts'
import { onDevicesChanged } from './devices.ts'
import type { Session } from './session.ts'

/** How the monitor connects: options of `createLive`. */
export type SessionMonitorOptions = Pick<
  LiveOptions,
  'origin' | 'doors' | 'transports' | 'shared' | 'fetch' | 'page' | 'random'
>

/** Events of a session's monitor. */
export interface SessionMonitorEvents {
  /** A login of the person may have begun or ended: see `onDevicesChanged`. */
  devices: undefined
}

/** What watches a session: see `monitorSession`. */
export interface SessionMonitor extends Listenable<SessionMonitorEvents> {
  /** Stops watching. The session stays as it is. */
  close(): void
}

/**
 * Notices the end of a session at once, instead of at the next refresh: the person ended it on another
 * device, or its refresh token was replayed. The session then ends with the reason `revoked`. The monitor
 * uses a live connection to the person's own channel, and follows the session from login to login until
 * closed. It also reports the person's other logins.
 *
 * A page that already has a live connection does not need it: use `live.on('ended', () => void
 * session.recheck())`, and `onDevicesChanged(live.channel('@user'), …)`.
 *
 * @example
 * ```ts
 * import { createDevices, createSession, monitorSession } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * const monitor = monitorSession(session, { origin })
 * session.on('ended', ({ reason }) => {
 *   console.log(reason) // -> revoked
 *   monitor.close()
 * })
 * // Another device could do this.
 * const devices = createDevices({ origin, token: session.accessToken })
 * monitor.on('devices', () => devices.endAll())
 * ```
 */
export const monitorSession = (session: Session, options: SessionMonitorOptions): SessionMonitor => {
  const events = createEmitter<SessionMonitorEvents>()
  let live: Live | undefined
  let unlistenDevices = () => {}
  /** The session that is being monitored. */
  let sid: string | undefined

  const open = () => {
    sid = session.claims?.sid
    const opened = createLive({ ...options, token: session })
    live = opened
    // By plain HTTP there is nothing to follow without a channel.
    const own = opened.channel('@user', { history: 0 })
    unlistenDevices = onDevicesChanged(own, () => events.emit('devices', undefined))
    opened.on('ended', async (why) => {
      await session.recheck(why)
      // If the session still stands, connect again at its next refresh, not at once: that avoids a loop.
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

import type { Answer, Devices, Failure, Page } from '@saoma/client'
import type { SessionEntry } from '@saoma/protocol'
import type { DevicesPage, DevicesScreen } from './devices-screen.ts'
import { persist } from './persist.ts'
import { onReturn } from './return.ts'
import type { Tokens } from './tokens.ts'

export interface DevicesPageDeps {
  devices: Devices
  /** The tokens for the calls of `devices`. */
  tokens: Pick<Tokens, 'use'>
  page: Page
  random: () => number
}

/** Shows only what the server reports. An entry disappears when its session has ended for certain. */
export const createDevicesPage = (
  { devices, tokens, page, random }: DevicesPageDeps,
  onChange: () => void,
): DevicesPage => {
  const closing = new AbortController()
  const { signal } = closing
  const ending = new Set<string>()
  let entries: readonly SessionEntry[] | undefined
  let endingAll = false
  let error: string | undefined
  let reading: Promise<void> | undefined
  let screen: DevicesScreen = { status: 'loading' }

  const show = () => {
    if (signal.aborted) return
    if (entries) {
      const listed = entries.map((entry) => ({ ...entry, ending: endingAll || ending.has(entry.sid) }))
      screen = {
        status: 'listed',
        devices: listed,
        refreshing: reading !== undefined,
        endingAll,
        ...(error ? { error } : {}),
      }
    } else {
      screen = error && !reading ? { status: 'failed', code: error } : { status: 'loading' }
    }
    onChange()
  }

  const failed = ({ code }: Failure) => {
    error = code
  }

  const ask = <T>(act: () => Promise<Answer<T>>): Promise<Answer<T>> =>
    persist(() => tokens.use(act), { random, signal, isWorth: () => page.online })

  const read = async () => {
    const answer = await ask(devices.list)
    if (answer.ok) entries = answer.value
    else failed(answer)
  }

  const refresh = (): Promise<void> => {
    if (!reading) {
      // Clears older errors now, so that the answer does not clear a newer one.
      error = undefined
      reading = read().finally(() => {
        reading = undefined
        show()
      })
    }
    show()
    return reading
  }

  /** An answer to an earlier request may still list the ended session, so it reads once more. */
  const readAfter = async () => {
    await reading
    await refresh()
  }

  const leave = async (sid: string, how: (sid: string) => Promise<Answer<unknown>>) => {
    if (ending.has(sid) || endingAll) return
    ending.add(sid)
    error = undefined
    show()
    const answer = await ask(() => how(sid))
    ending.delete(sid)
    // The session has ended, whoever ended it.
    const isOver = answer.ok || answer.code === 'SESSION_NOT_FOUND'
    if (isOver) entries = entries?.filter((entry) => entry.sid !== sid)
    else failed(answer)
    show()
    if (isOver && reading) await readAfter()
  }

  const stopListening = onReturn(page, () => void refresh())
  void refresh()

  return {
    get screen() {
      return screen
    },
    refresh,
    end: (sid) => leave(sid, devices.end),
    report: (sid) => leave(sid, devices.report),
    endAll: async () => {
      if (endingAll) return
      endingAll = true
      error = undefined
      show()
      const answer = await ask(() => devices.endAll())
      if (answer.ok) await readAfter()
      else failed(answer)
      endingAll = false
      show()
    },
    close: () => {
      closing.abort()
      stopListening()
    },
  }
}

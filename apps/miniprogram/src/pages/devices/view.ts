import type { DevicesScreen } from '../../logic/devices-screen.ts'
import type { Text } from '../../logic/text.ts'

/** The data of the page. No value is undefined. */
export type DevicesView =
  | { kind: 'wait' }
  | { kind: 'failed'; hint: string }
  | { kind: 'list'; devices: readonly DeviceView[]; endingAll: boolean; error: string }

export interface DeviceView {
  sid: string
  app: string
  where: string
  since: string
  ending: boolean
}

export const devicesView = (screen: DevicesScreen, { words, fill, sayAge, sayCode }: Text): DevicesView => {
  if (screen.status === 'loading') return { kind: 'wait' }
  if (screen.status === 'failed') return { kind: 'failed', hint: sayCode(screen.code) }
  return {
    kind: 'list',
    devices: screen.devices.map(({ sid, app, applications = [], browser, os, ip, since, ending }) => ({
      sid,
      app: [app, ...applications.map(({ name }) => name)].join(', '),
      where: [browser, os, ip].filter(Boolean).join(' · ') || words.unknown,
      since: fill(words.devices.since, { time: sayAge(since) }),
      ending,
    })),
    endingAll: screen.endingAll,
    error: screen.error ? sayCode(screen.error) : '',
  }
}

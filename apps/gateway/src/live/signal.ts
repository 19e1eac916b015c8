import type { Signal } from '@saoma/channels'

/** The JSON of a signal for clients. The kind of the signal is the name of the event. */
export const signalJson = (signal: Signal): string => {
  switch (signal.kind) {
    case 'volatile':
      return signal.json
    case 'presence':
      return JSON.stringify(signal.change)
    case 'inbox':
      return JSON.stringify({ channel: signal.channel, ...signal.inbox })
  }
}

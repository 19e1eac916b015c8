import { createLive } from '@saoma/client'
import { createPublisher } from '@saoma/client/server'
import { OWN_CHANNEL, userChannel } from '@saoma/protocol'
import { localClock } from './clock.ts'
import { createNetwork } from './network.ts'
import { logIn } from './one-login.ts'
import { createDemos } from './people.ts'
import { createRecorder } from './recorder.ts'

/** One person and one message that show whether a cluster works. */
export interface Canary {
  /** Whether a whole login succeeds now. */
  login(): Promise<boolean>
  /** Whether a message reaches a person over a connection that is open all the time. */
  message(): Promise<boolean>
  close(): Promise<void>
}

const WITHIN_MS = 3_000
/** No worker has this index, so the canary has an address of its own. */
const INDEX = 200

export const createCanary = async (url: string, run: string, apiKey: string): Promise<Canary> => {
  // Nothing reads this recorder.
  const network = createNetwork(createRecorder(), url, INDEX)
  const [phone] = await createDemos(network, url, 'phone', [`load-${run}-canary`])
  const [person] = await createDemos(network, url, 'miniprogram', [`load-${run}-canary`])
  if (!phone || !person) throw new Error('the canary has no token')
  const { fetch, transport } = network
  const live = createLive({ origin: url, token: () => person.token(), transports: [transport], fetch })
  const publisher = createPublisher<{ canary: number }>({ origin: url, apiKey, fetch, withinMs: WITHIN_MS })
  const waiting = new Map<unknown, () => void>()
  const room = live.channel<{ canary: number }>(OWN_CHANNEL)
  room.on('message', ({ data }) => waiting.get(data)?.())
  let sent = 0

  return {
    login: async () => {
      const deps = { url, network, clock: localClock, onTime: () => {}, patienceMs: WITHIN_MS }
      return (await logIn(deps, phone, localClock.now())).end === 'done'
    },
    message: async () => {
      const data = ++sent
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const timer = setTimeout(() => resolve(false), WITHIN_MS)
      waiting.set(data, () => resolve(true))
      const answer = await publisher.publish({ channel: userChannel(person.sub), event: 'canary', data })
      if (!answer.ok) resolve(false)
      const arrived = await promise
      clearTimeout(timer)
      waiting.delete(data)
      return arrived
    },
    close: async () => {
      live.close()
      await network.close()
    },
  }
}

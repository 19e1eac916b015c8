import { testApiKey } from '@saoma/testing'
import type { Cluster } from './cluster.ts'
import type { Call, HttpDoor } from './http-doors.ts'
import { postJson } from './keep-alive.ts'
import { PACE, pushAll } from './pace.ts'
import { createPublishCluster } from './publish-cluster.ts'

/** Calls of the backend under way at the same time. Each has a kept-alive connection. */
const CALLS_IN_FLIGHT = 16
const CREDENTIALS = { Authorization: `Bearer ${testApiKey}` }

/** People who follow their own channels, and a backend that publishes over HTTP to the first node. */
export const startPublishHttpCluster = async ({ start, follow, calls }: HttpDoor): Promise<Cluster> => {
  const system = await start()
  const [node = ''] = system.urls
  const post = async ({ path, json }: Call): Promise<void> => {
    const answer = await postJson(`${node}${path}`, CREDENTIALS, json)
    // The status of a call with many messages says nothing about any of them.
    if (answer.includes('"ok":false')) throw new Error(`not published: ${answer}`)
  }
  return createPublishCluster({
    system,
    follow,
    publish: (messages) => {
      const made = calls(messages)
      // As many messages a second, however many a call has.
      const perSecond = (PACE.perSecond * made.length) / messages.length
      return pushAll(made, post, { perSecond, inFlight: CALLS_IN_FLIGHT })
    },
  })
}

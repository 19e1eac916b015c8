import type { Room } from '@saoma/client'
import type { Surroundings } from '../demo/demo.ts'
import { member, textOf } from '../demo/json.ts'
import { drawId } from '../demo/shop-api.ts'

/** A quote of the shop's API. `price` is in fen. */
export interface Quote {
  number: string
  price: number
  days: number
}

export type Screen =
  | { status: 'asking'; error?: 'notStarted' | 'busy' }
  | { status: 'starting' }
  | { status: 'waiting'; id: string; city: string }
  | { status: 'done'; id: string; city: string; quote: Quote }
  | { status: 'failed' | 'refused' }

/** One slow job, from the request to its result. Its id is in the address, so a reload continues it. */
export interface Job {
  readonly screen: Screen
  ask(city: string): Promise<void>
  /** Returns to the form. */
  again(): void
  close(): void
}

/** Only the shop writes to the job's channel. Without a quote the job has failed. */
interface JobEvents {
  finished: { quote?: Quote }
}

const STARTED: number = 202
const BUSY: number = 429
const MOST_CITY = 60

/** @param onId  called with the id of the current job, for the address */
export const createJob = (
  known: string | undefined,
  { live, shop, update }: Surroundings,
  onId: (id: string | undefined) => void,
): Job => {
  let screen: Screen = { status: 'asking' }
  let room: Room<JobEvents> | undefined

  const show = (next: Screen) => {
    screen = next
    update()
  }

  const finish = (id: string, city: string, quote: Quote | undefined) => {
    room?.close()
    show(quote ? { status: 'done', id, city, quote } : { status: 'failed' })
  }

  /** Reads the shop's state, for a page that returns after the messages were trimmed. */
  const read = async (id: string): Promise<boolean> => {
    const { status, body } = await shop.get(`jobs/${id}`)
    if (status === 404) return false
    const city = textOf(body, 'city', MOST_CITY) ?? ''
    const state = member(body, 'status')
    if (state === 'done') finish(id, city, member(body, 'quote') as Quote)
    else if (state === 'failed') finish(id, city, undefined)
    else if (screen.status === 'waiting') show({ ...screen, city })
    return true
  }

  const follow = (id: string, city: string) => {
    show({ status: 'waiting', id, city })
    // The result may arrive before the subscription. It is the only message of the channel, so history 1
    // finds it.
    room = live.channel<JobEvents>(`room:job-${id}`, { history: 1 })
    room.on('message', ({ data }) => finish(id, screen.status === 'waiting' ? screen.city : city, data.quote))
    room.on('lost', () => void read(id))
    room.on('refused', () => show({ status: 'refused' }))
  }

  if (known) {
    follow(known, '')
    void read(known).then((mine) => {
      if (mine) return
      room?.close()
      show({ status: 'refused' })
    })
  }

  return {
    get screen() {
      return screen
    },
    ask: async (city) => {
      show({ status: 'starting' })
      const { status, body } = await shop.post('jobs', { request: drawId(), city })
      const id = textOf(body, 'id', MOST_CITY)
      if (status !== STARTED || !id) return show({ status: 'asking', error: status === BUSY ? 'busy' : 'notStarted' })
      onId(id)
      follow(id, city)
    },
    again: () => {
      room?.close()
      onId(undefined)
      show({ status: 'asking' })
    },
    close: () => room?.close(),
  }
}

import { MOST_CHANNELS } from '@saoma/protocol'
import { followByHttp, type HttpFollowOptions, type HttpWay } from './http-follow.ts'
import type { Followed } from './room.ts'

export interface HttpDoorOptions extends Pick<HttpFollowOptions, 'api' | 'ways' | 'random' | 'onFailure' | 'onWay'> {
  /** Returns all open rooms. */
  rooms: () => Iterable<Followed>
}

/** Follows the rooms by plain HTTP while it runs. */
export interface HttpDoor {
  readonly running: boolean
  start(): void
  stop(): void
  /** Restarts if it runs: rooms came or went, or the network is back. Requests under way are repeated. */
  restart(): void
}

export const createHttpDoor = (options: HttpDoorOptions): HttpDoor => {
  let running: AbortController | undefined

  const run = ({ signal }: AbortController) => {
    const rooms = [...options.rooms()]
    /** The way of each group. The door's state is that of its worst group. */
    const ways: (HttpWay | undefined)[] = []
    for (let i = 0; i < rooms.length; i += MOST_CHANNELS) {
      const group = ways.push(undefined) - 1
      const onWay = (way: HttpWay | undefined) => {
        if (signal.aborted) return
        ways[group] = way
        options.onWay(ways.includes(undefined) ? undefined : ways.includes('poll') ? 'poll' : 'stream')
      }
      void followByHttp({ ...options, rooms: rooms.slice(i, i + MOST_CHANNELS), signal, onWay })
    }
  }

  const stop = () => {
    running?.abort()
    running = undefined
  }

  const start = () => {
    if (running || options.ways.length === 0) return
    running = new AbortController()
    run(running)
  }

  return {
    get running() {
      return running !== undefined
    },
    start,
    stop: () => {
      stop()
      options.onWay(undefined)
    },
    restart: () => {
      if (!running) return
      stop()
      start()
    },
  }
}

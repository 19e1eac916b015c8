import { parseProblem } from '@saoma/protocol'

/** The code picture for the ticket of this page. */
export type Picture =
  | { status: 'loading' }
  /** `isPlain`: any camera reads it, not WeChat alone. */
  | { status: 'shown'; url: string; isPlain: boolean; check?: string }
  | { status: 'failed'; code: string }

/** Fetches and holds the picture for a ticket. */
export interface TicketPicture {
  readonly picture: Picture
  load(): Promise<void>
}

const pictureOf = async (ticket: string): Promise<Picture> => {
  // Requested as an image: the JSON description may point to another server, whose picture needs a hash
  // check.
  const response = await fetch(`/v1/tickets/${encodeURIComponent(ticket)}/qr?opens=phone`, {
    cache: 'no-store',
    headers: { accept: 'image/*' },
  })
  if (!response.ok) {
    const problem = parseProblem(await response.json().catch(() => undefined))
    return { status: 'failed', code: problem.ok ? problem.value.code : 'NETWORK' }
  }
  const check = response.headers.get('x-saoma-check')
  const isPlain = response.headers.get('x-saoma-code') === 'plain'
  return { status: 'shown', url: URL.createObjectURL(await response.blob()), isPlain, ...(check ? { check } : {}) }
}

export const createTicketPicture = (ticket: string, update: () => void): TicketPicture => {
  let picture: Picture = { status: 'loading' }
  return {
    get picture() {
      return picture
    },
    load: async () => {
      picture = { status: 'loading' }
      update()
      picture = await pictureOf(ticket).catch(() => ({ status: 'failed', code: 'NETWORK' }) as const)
      update()
    },
  }
}

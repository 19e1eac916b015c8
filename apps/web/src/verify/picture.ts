import { parseProblem } from '@saoma/protocol'

/** What to scan for the ticket of this page. */
export type Picture =
  | { status: 'loading' }
  | { status: 'shown'; url: string; check?: string }
  | { status: 'failed'; code: string }

/** The picture for a ticket, as this page has it. */
export interface TicketPicture {
  readonly picture: Picture
  load(): Promise<void>
}

const pictureOf = async (ticket: string): Promise<Picture> => {
  // As an image: a description may lead elsewhere, and what lies there has to be held against its hash.
  const response = await fetch(`/v1/tickets/${encodeURIComponent(ticket)}/qr`, {
    cache: 'no-store',
    headers: { accept: 'image/*' },
  })
  if (!response.ok) {
    const problem = parseProblem(await response.json().catch(() => undefined))
    return { status: 'failed', code: problem.ok ? problem.value.code : 'NETWORK' }
  }
  const check = response.headers.get('x-saoma-check')
  return { status: 'shown', url: URL.createObjectURL(await response.blob()), ...(check ? { check } : {}) }
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

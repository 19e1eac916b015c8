import type { Config } from '../config/config.ts'

/** What the picture of a ticket opens: the phone page or mini-program, or the business's own app. */
export type Opens = Config['codeOpens']

/** The address in a picture that any camera reads. */
export const addressFor = (origin: string, opens: Opens, ticket: string): string =>
  opens === 'app' ? `${origin}/l/${ticket}` : `${origin}/phone?ticket=${ticket}`

/** The address of a ticket, in the form that the settings choose. */
export const ticketAddress =
  ({ origin, codeOpens }: Pick<Config, 'origin' | 'codeOpens'>) =>
  (ticket: string): string =>
    addressFor(origin, codeOpens, ticket)

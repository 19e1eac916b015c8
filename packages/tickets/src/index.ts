export { eraseTicket } from './erase.ts'
export type { Listener } from './listen.ts'
export type { NewTicket, TicketRecord, TicketTimes } from './ticket.ts'
export { createTickets, type Tickets } from './tickets.ts'

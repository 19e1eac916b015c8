export { eraseTicket } from './erase.ts'
export type { Listener } from './listen.ts'
export type { Brought, NewTicket, TicketRecord, Tickets, TicketTimes, Verification } from './ticket.ts'
export { createTickets } from './tickets.ts'

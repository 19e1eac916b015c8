export { eraseTicket } from './erase.ts'
export type { Listener } from './listen.ts'
export type { NewTicket, TicketRecord, Tickets, TicketTimes } from './ticket.ts'
export { createTickets } from './tickets.ts'

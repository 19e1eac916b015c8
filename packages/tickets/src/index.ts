export type { Listener } from './listen.ts'
export { createTickets, type NewTicket, type TicketRecord, type Tickets, type TicketTimes } from './tickets.ts'

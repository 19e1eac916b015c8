-- reject: the phone's owner refuses. Before a scan any account may refuse, and then owns the ticket.
-- Idempotent.
-- KEYS  ticket, channel
-- ARGV  sub, keep_ms, event_head, event_tail
-- reply {"OK", status, version, left_ms}
--       | {"TICKET_NOT_FOUND"} | {"TICKET_VOID"} | {"TICKET_TAKEN"} | {"TICKET_EXPIRED"} | {"TICKET_SETTLED"}

local key, channel = KEYS[1], KEYS[2]
local sub, keep_ms = ARGV[1], tonumber(ARGV[2])
local event_head, event_tail = ARGV[3], ARGV[4]

local ticket = find(key)
if not ticket then return { 'TICKET_NOT_FOUND' } end
if ticket.void then return { 'TICKET_VOID' } end
if ticket.owner and ticket.owner ~= sub then return { 'TICKET_TAKEN' } end
if ticket.status == 'expired' then return { 'TICKET_EXPIRED' } end
if ticket.status == 'confirmed' or ticket.status == 'redeemed' then return { 'TICKET_SETTLED' } end

if ticket.status ~= 'rejected' then
  move(ticket, 'rejected', ticket.deadline, keep_ms, channel, event_head, event_tail, 'owner', sub)
end
return answer(ticket)

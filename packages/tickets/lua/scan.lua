-- scan: a phone has read the code. The first account owns the ticket. Idempotent for the same account.
-- KEYS  ticket, channel
-- ARGV  sub, confirm_ms, keep_ms, event_head, event_tail, scanned_after (stored by the first scan)
-- reply {"OK", status, version, left_ms, request, created}
--       | {"TICKET_NOT_FOUND"} | {"TICKET_TAKEN"} | {"TICKET_EXPIRED"} | {"TICKET_SETTLED"}

local key, channel = KEYS[1], KEYS[2]
local sub, confirm_ms, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local event_head, event_tail, scanned_after = ARGV[4], ARGV[5], ARGV[6]

local ticket = find(key)
if not ticket then return { 'TICKET_NOT_FOUND' } end
if ticket.owner and ticket.owner ~= sub then return { 'TICKET_TAKEN' } end
if ticket.status == 'expired' then return { 'TICKET_EXPIRED' } end
if ticket.status ~= 'pending' and ticket.status ~= 'scanned' then return { 'TICKET_SETTLED' } end

if ticket.status == 'pending' then
  move(ticket, 'scanned', ticket.now + confirm_ms, keep_ms, channel, event_head, event_tail,
    'owner', sub, 'scannedAfter', scanned_after)
end
local request, created = unpack(redis.call('HMGET', key, 'request', 'created'))
return answer(ticket, request, created)

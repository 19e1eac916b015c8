-- read: everything that the holder of the device code may learn. The caller must compare the secret before it
-- answers.
-- KEYS  ticket
-- ARGV  none
-- reply {"OK", status, version, left_ms, secret, authorization, owner | nil, decided_at | nil,
--        scanned_after | nil, void (1 | 0), mode | nil, number | nil} | {"TICKET_NOT_FOUND"}
-- The number is told while the ticket is scanned, if it is verified by number.

local ticket = find(KEYS[1])
if not ticket then return { 'TICKET_NOT_FOUND' } end

local secret, authorization, decided_at, scanned_after, mode, number =
  unpack(redis.call('HMGET', ticket.key, 'secret', 'authorization', 'decidedAt', 'scannedAfter', 'mode', 'number'))
if ticket.status ~= 'scanned' or mode ~= 'number' then number = false end
return answer(ticket, secret, authorization, ticket.owner, decided_at, scanned_after, ticket.void and 1 or 0, mode,
  number)

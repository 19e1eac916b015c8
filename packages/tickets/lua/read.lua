-- read: everything that the holder of the device code may learn. The caller must compare the secret before it
-- answers.
-- KEYS  ticket
-- ARGV  none
-- reply {"OK", status, version, left_ms, secret, authorization, owner | nil, decided_at | nil,
--        scanned_after | nil, void (1 | 0)} | {"TICKET_NOT_FOUND"}

local ticket = find(KEYS[1])
if not ticket then return { 'TICKET_NOT_FOUND' } end

local secret, authorization, decided_at, scanned_after =
  unpack(redis.call('HMGET', ticket.key, 'secret', 'authorization', 'decidedAt', 'scannedAfter'))
return answer(ticket, secret, authorization, ticket.owner, decided_at, scanned_after, ticket.void and 1 or 0)

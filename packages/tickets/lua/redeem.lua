-- redeem: the browser exchanges a confirmed ticket, once. Afterwards the ticket reads as gone.
-- KEYS  ticket, channel
-- ARGV  secret, keep_ms, event_head, event_tail
-- reply {"OK", status, version, left_ms, authorization, owner, decided_at, mode | nil}
--       | {"TICKET_NOT_FOUND"} unknown, or another secret | {"TICKET_EXPIRED"} too late, or redeemed before
--       | {"NOT_SCANNED"} not decided yet | {"TICKET_SETTLED"} rejected

local key, channel = KEYS[1], KEYS[2]
local secret, keep_ms = ARGV[1], tonumber(ARGV[2])
local event_head, event_tail = ARGV[3], ARGV[4]

local ticket = find(key)
if not ticket then return { 'TICKET_NOT_FOUND' } end
-- Both sides are hashes, so the duration of the comparison reveals nothing about the secret.
local stored, authorization, decided_at, mode =
  unpack(redis.call('HMGET', key, 'secret', 'authorization', 'decidedAt', 'mode'))
if stored ~= secret then return { 'TICKET_NOT_FOUND' } end
if ticket.status == 'expired' or ticket.status == 'redeemed' then return { 'TICKET_EXPIRED' } end
if ticket.status == 'rejected' then return { 'TICKET_SETTLED' } end
if ticket.status ~= 'confirmed' then return { 'NOT_SCANNED' } end

move(ticket, 'redeemed', ticket.deadline, keep_ms, channel, event_head, event_tail)
return answer(ticket, authorization, ticket.owner, decided_at, mode)

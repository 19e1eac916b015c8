-- resolve: returns the ticket to which a code is leased now.
-- KEYS  code
-- ARGV  check ("" for none)
-- reply {"OK", ticket} | {"TICKET_EXPIRED"} | {"CHECK_REQUIRED"} | {"CHECK_WRONG"}

local ticket, leased_until, check = unpack(redis.call('HMGET', KEYS[1], 'ticket', 'leasedUntil', 'check'))
if not ticket or tonumber(leased_until) <= now_ms() then return { 'TICKET_EXPIRED' } end
-- A code in its first lease has no check number: nobody can have seen it before.
if check == '' then return { 'OK', ticket } end
if ARGV[1] == '' then return { 'CHECK_REQUIRED' } end
if ARGV[1] ~= check then return { 'CHECK_WRONG' } end
return { 'OK', ticket }

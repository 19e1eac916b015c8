-- create: a browser requests a login.
-- KEYS  ticket
-- ARGV  secret, request, authorization, scan_ms, keep_ms, terms (empty: there are none), verify (what is
--       demanded), number (two digits that the page displays, or empty), network (of the browser),
--       owner (the only account that may answer; empty: whoever scans first)
-- reply {"OK", status, version, left_ms} | {"TICKET_TAKEN"} the id is in use

local key = KEYS[1]
local secret, request, authorization = ARGV[1], ARGV[2], ARGV[3]
local scan_ms, keep_ms, terms = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local verify, number, network, owner = ARGV[7], ARGV[8], ARGV[9], ARGV[10]

if redis.call('EXISTS', key) == 1 then return { 'TICKET_TAKEN' } end

local now = now_ms()
local deadline = now + scan_ms
redis.call('HSET', key, 'status', 'pending', 'version', 1, 'deadline', deadline, 'created', now,
  'secret', secret, 'request', request, 'authorization', authorization)
if terms ~= '' then redis.call('HSET', key, 'terms', terms) end
if owner ~= '' then redis.call('HSET', key, 'owner', owner) end
-- A tap needs nothing of this, and most logins are confirmed by one.
if verify ~= 'tap' or number ~= '' then
  redis.call('HSET', key, 'verify', verify, 'number', number, 'network', network)
end
redis.call('PEXPIREAT', key, deadline + keep_ms)
return answer(find(key))

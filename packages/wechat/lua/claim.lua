-- claim: returns the shared access token if it is good. Otherwise it grants the right to fetch another one,
-- to one node at a time. A token that is about to expire still works, so it is returned together with that
-- right.
-- KEYS  token, lock
-- ARGV  holder, lock_ms, ahead_ms, refused (a value that must not be handed out again, or "")
-- reply {"TOKEN" | "FETCH" | "WAIT", value or "", left_ms}
--       FETCH: the caller holds the lock and ends with settle; WAIT: another node holds it

local token, lock = KEYS[1], KEYS[2]
local holder, lock_ms, ahead_ms, refused = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local value = redis.call('GET', token) or ''
local left_ms = math.max(redis.call('PTTL', token), 0)
if value == refused then value, left_ms = '', 0 end
if value ~= '' and left_ms > ahead_ms then return { 'TOKEN', value, left_ms } end

local won = redis.call('SET', lock, holder, 'NX', 'PX', lock_ms)
return { won and 'FETCH' or 'WAIT', value, left_ms }

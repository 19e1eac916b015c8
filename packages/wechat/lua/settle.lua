-- settle: ends a claim, with or without a token. A node whose lock has expired must not share its token:
-- another node has fetched since, perhaps by a forced refresh that invalidated this token.
-- KEYS  token, lock
-- ARGV  holder, value ("" for none), life_ms
-- reply 1 settled | 0 the lock was lost

local token, lock = KEYS[1], KEYS[2]
local holder, value, life_ms = ARGV[1], ARGV[2], ARGV[3]

if redis.call('GET', lock) ~= holder then return 0 end
redis.call('DEL', lock)
if value ~= '' then redis.call('SET', token, value, 'PX', life_ms) end
return 1

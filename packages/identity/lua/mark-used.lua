-- mark-used: a session's refresh token was used. Of each eight characters are kept, one after the other.
-- KEYS  used
-- ARGV  mark (eight characters), most_bytes, ttl_seconds
-- reply 1 | 0 when so many were used that this session has to end: forgetting the oldest would let a thief
--       have them forgotten
local used, mark, most_bytes, ttl_seconds = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('STRLEN', used) >= most_bytes then return 0 end
-- Of several that use one token at once each comes here.
if redis.call('GETRANGE', used, -#mark, -1) ~= mark then redis.call('APPEND', used, mark) end
return redis.call('EXPIRE', used, ttl_seconds)

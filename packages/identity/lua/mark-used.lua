-- mark-used: records that a session's refresh token was used. It appends eight characters per token.
-- KEYS  used
-- ARGV  mark (eight characters), most_bytes, ttl_seconds
-- reply 1 | 0 when the list is full and the session has to end: if the oldest marks were dropped, a thief
--       could push them out
local used, mark, most_bytes, ttl_seconds = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('STRLEN', used) >= most_bytes then return 0 end
-- Concurrent requests with the same token all come here.
if redis.call('GETRANGE', used, -#mark, -1) ~= mark then redis.call('APPEND', used, mark) end
return redis.call('EXPIRE', used, ttl_seconds)

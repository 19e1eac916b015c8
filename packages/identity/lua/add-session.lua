-- add-session: adds a session to its person's list, unless that session was ended. The list lives as long as
-- its youngest session may live.
-- KEYS  sessions
-- ARGV  sid, entry, ttl_seconds
-- reply the length of the list, recently ended sessions included | 0 when this session has ended or is being
--       ended
local sessions, sid, entry, ttl_seconds = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local present = redis.call('HGET', sessions, sid)
if present and string.sub(present, 1, 1) ~= '{' then return 0 end
-- An older node checks that its own entry is unchanged. It takes any other text for an end.
if not present then redis.call('HSET', sessions, sid, entry) end
redis.call('EXPIRE', sessions, ttl_seconds)
return redis.call('HLEN', sessions)

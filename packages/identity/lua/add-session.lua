-- add-session: puts a session on the list of a person's, which lives as long as the youngest of them may.
-- Never again one that was ended.
-- KEYS  sessions
-- ARGV  sid, entry, ttl_seconds
-- reply how many are on the list, with those that were ended of late | 0 when this one is ended, or is being
--       ended
local sessions, sid, entry, ttl_seconds = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local present = redis.call('HGET', sessions, sid)
if present and string.sub(present, 1, 1) ~= '{' then return 0 end
-- An older node looks whether its own words stand there, and takes other words for an end.
if not present then redis.call('HSET', sessions, sid, entry) end
redis.call('EXPIRE', sessions, ttl_seconds)
return redis.call('HLEN', sessions)

-- enlist: puts a session on the list of a person's, which lives as long as the youngest of them may.
-- KEYS  sessions
-- ARGV  sid, entry, ttl_seconds
-- reply how many are on the list
local sessions, sid, entry, ttl_seconds = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
redis.call('HSET', sessions, sid, entry)
redis.call('EXPIRE', sessions, ttl_seconds)
return redis.call('HLEN', sessions)

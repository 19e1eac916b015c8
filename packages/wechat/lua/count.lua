-- count: adds one to a counter with a TTL.
-- KEYS  counter
-- ARGV  life_ms
-- reply the count

local count = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return count

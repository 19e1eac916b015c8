-- count: one more in a counter that lives for a while.
-- KEYS  counter
-- ARGV  life_ms
-- reply the count

local count = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return count

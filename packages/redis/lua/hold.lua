-- hold: says for a while that somebody is there. A word of each node, so it is said also to a Redis that is full.
-- KEYS  key
-- ARGV  value, ms
-- reply the value before, or nil
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'GET')

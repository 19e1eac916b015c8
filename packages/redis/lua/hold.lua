-- hold: writes a value for a while. Small and one of each node or shard, so it is written also into a Redis
-- that is full.
-- KEYS  key
-- ARGV  value, ms
-- reply the value before, or nil
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'GET')

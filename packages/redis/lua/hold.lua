-- hold: writes a value with a TTL. It is small, with one key per node or shard, so it is also written to a
-- full Redis.
-- KEYS  key
-- ARGV  value, ms
-- reply the value before, or nil
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'GET')

-- save: writes a record together with its TTL.
-- KEYS  record
-- ARGV  payload, ttl_seconds
-- reply 1
local record, payload, ttl_seconds = KEYS[1], ARGV[1], ARGV[2]
redis.call('HSET', record, 'payload', payload)
return redis.call('EXPIRE', record, ttl_seconds)

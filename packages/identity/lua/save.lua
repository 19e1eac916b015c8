-- save: writes a record together with its TTL. Other fields of the record stay.
-- KEYS  record
-- ARGV  ttl_seconds, field, value, ...
-- reply 1
local record, ttl_seconds = KEYS[1], ARGV[1]
redis.call('HSET', record, unpack(ARGV, 2))
return redis.call('EXPIRE', record, ttl_seconds)

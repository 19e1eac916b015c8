-- remember: a session's refresh token was used. Of each eight characters are kept, one after the other.
-- KEYS  used
-- ARGV  mark (eight characters), ttl_seconds
-- reply 1
redis.call('APPEND', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])

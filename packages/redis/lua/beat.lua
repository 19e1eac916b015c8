-- beat: writes, and tells whoever listens. What Redis refuses to the product it refuses to this.
-- KEYS  key
-- ARGV  channel, message, ms that the key lives
-- reply how many heard it on this server
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('SPUBLISH', ARGV[1], ARGV[2])

-- beat: writes a key and publishes a message. If Redis refuses the product's writes, it also refuses this
-- one.
-- KEYS  key
-- ARGV  channel, message, ms that the key lives
-- reply number of subscribers on this server that got the message
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('SPUBLISH', ARGV[1], ARGV[2])

-- register-channel: records that clients of a node are about to follow a channel.
-- KEYS  channels (of the node)
-- ARGV  channel
-- reply 1

redis.call('SADD', KEYS[1], ARGV[1])
keep(KEYS[1], DAY_MS)
return 1

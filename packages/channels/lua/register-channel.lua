-- register-channel: a node is about to have people in a channel.
-- KEYS  channels (of the node)
-- ARGV  channel
-- reply 1

redis.call('SADD', KEYS[1], ARGV[1])
keep(KEYS[1], DAY_MS)
return 1

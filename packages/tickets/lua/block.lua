-- block: the person wants no requests of an application for a time.
-- KEYS  requests
-- ARGV  client, block_ms
-- reply 1

local key, client, block_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', key, 'b:' .. client, string.format('%d', now + block_ms))
redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), block_ms))
return 1

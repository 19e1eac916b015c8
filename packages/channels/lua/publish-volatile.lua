-- publish-volatile: sends a volatile message to every node that follows the channel. It is not kept.
-- KEYS  people, live
-- ARGV  content (`"event":…,"data":…,["from":…,]`)
-- reply connections

local people, live = KEYS[1], KEYS[2]
local content = ARGV[1]

redis.call('SPUBLISH', live, 'v' .. content .. string.format('"time":%d', now_ms()))
return connections_of(people)

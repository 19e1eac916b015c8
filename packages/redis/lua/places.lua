-- places: sets how many places a node holds for a subject. Numbers are absolute, so a call may be repeated. A
-- node that stops calling loses its places after `ms`.
-- KEYS  places
-- ARGV  node, holds, ms, limit (of all nodes; 0: asks for no more than before)
-- reply 1 when the node holds them, 0 when they exceed the limit

local places = KEYS[1]
local node, holds, ms, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', places)
local others = 0
for i = 1, #all, 2 do
  local held, till = string.match(all[i + 1], '^(%d+) (%d+)$')
  if tonumber(till) <= now then redis.call('HDEL', places, all[i])
  elseif all[i] ~= node then others = others + tonumber(held) end
end
if limit > 0 and others + holds > limit then return 0 end
if holds == 0 then
  redis.call('HDEL', places, node)
else
  redis.call('HSET', places, node, string.format('%d %d', holds, now + ms))
  redis.call('PEXPIRE', places, ms)
end
return 1

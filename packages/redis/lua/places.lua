-- places: says how many places a node holds for a subject. Numbers are absolute, so it may be said again; a
-- node that does not is forgotten after a while.
-- KEYS  places
-- ARGV  node, holds, ms, limit (of all nodes; 0: asks for no more than before)
-- reply 1 when it holds them, 0 when that would be too many

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

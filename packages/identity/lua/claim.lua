-- claim: takes what is due, for one caller. What it has not done when its lease ends is due again.
-- KEYS  due
-- ARGV  lease_ms, most
-- reply {id, ...}
local due, lease_ms, most = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(ids) do redis.call('ZADD', due, now + lease_ms, id) end
return ids

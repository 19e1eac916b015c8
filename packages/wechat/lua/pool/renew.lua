-- renew: renews the TTL of codes and of their sets. If the allowed number of leases was reduced, a rested
-- code that has reached it counts as used up, and no longer as a reserve.
-- KEYS  codes (prefix), fresh, rested, busy, run
-- ARGV  ttl_ms, leases, scene…
-- reply how many of the codes exist

local codes, rested, busy = KEYS[1], KEYS[3], KEYS[4]
local ttl_ms, leases = ARGV[1], tonumber(ARGV[2])

local found = 0
for i = 3, #ARGV do
  local scene = ARGV[i]
  found = found + redis.call('PEXPIRE', codes .. scene, ttl_ms)
  local epoch = tonumber(redis.call('HGET', codes .. scene, 'epoch'))
  if epoch and epoch >= leases and redis.call('SREM', rested, scene) == 1 then redis.call('ZADD', busy, NEVER, scene) end
end
for place = 2, 5 do redis.call('PEXPIRE', KEYS[place], ttl_ms) end
return found

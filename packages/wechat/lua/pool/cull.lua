-- cull: removes codes that have used up their leases, and rested codes above the size of the pool. It never
-- removes a code that is leased or in quarantine, so no login notices.
-- KEYS  codes (prefix), leases (prefix), fresh, rested, busy
-- ARGV  max (codes in the pool), most (how many at one go)
-- reply {image, …}

local codes, leases_prefix, fresh, rested, busy = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local max, most = tonumber(ARGV[1]), tonumber(ARGV[2])

local scenes = redis.call('ZRANGEBYSCORE', busy, NEVER, NEVER, 'LIMIT', 0, most)
local spent = redis.call('ZCOUNT', busy, NEVER, NEVER)
local all = redis.call('SCARD', fresh) + redis.call('SCARD', rested) + redis.call('ZCARD', busy) - spent
local surplus = math.min(all - max, most - #scenes)
if surplus > 0 then
  for _, scene in ipairs(redis.call('SPOP', rested, surplus)) do scenes[#scenes + 1] = scene end
end

local images = {}
for _, scene in ipairs(scenes) do
  local image = forget(codes, leases_prefix, fresh, rested, busy, scene)
  if image then images[#images + 1] = image end
end
return images

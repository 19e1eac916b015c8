-- Shared by the scripts of this folder, each of which is this text followed by its own.
--
-- Key of a code: the prefix that scripts get as the key `codes`, and the scene. A script learns only while it
-- runs which code it takes, so it makes that key itself: all of a pool lies in one slot. The hash of a code:
-- image, type, sha256 (its picture), madeAt (ms epoch), epoch (leases so far); and from the first lease on
-- ticket, leasedUntil and freeAt (ms epoch), check ("" in the first lease), checks (every number it ever had,
-- two digits each).
--
-- A code is in one of three places: `fresh`, `rested` or `busy`. One that has had all its leases stays in
-- `busy` with the score NEVER.

local NEVER = '+inf'

-- The time of Redis's clock in ms. Leases use no other clock.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- After a restart or a failover the server may have lost the last leases. A fresh code there may be on a page
-- at this moment, so it counts as rested. `run` is the id of the server that has recorded all leases since.
-- If INFO is not allowed, the server counts as the same.
local function distrust_after_restart(run, fresh, rested, ttl_ms)
  local info = redis.pcall('INFO', 'server')
  local present = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or 'unknown'
  if redis.call('GET', run) == present then return end
  redis.call('SET', run, present, 'PX', ttl_ms)
  if redis.call('SCARD', fresh) == 0 then return end
  redis.call('SUNIONSTORE', rested, rested, fresh)
  redis.call('DEL', fresh)
  redis.call('PEXPIRE', rested, ttl_ms)
end

-- Moves up to `most` codes whose quarantine is over to `rested`.
local function release_due(codes, rested, busy, leases, now, most, ttl_ms)
  local due = redis.call('ZRANGEBYSCORE', busy, '-inf', now, 'LIMIT', 0, most)
  for _, scene in ipairs(due) do
    local epoch = tonumber(redis.call('HGET', codes .. scene, 'epoch'))
    if epoch and epoch >= leases then
      redis.call('ZADD', busy, NEVER, scene)
    else
      redis.call('ZREM', busy, scene)
      if epoch then redis.call('SADD', rested, scene) end
    end
  end
  if #due > 0 then redis.call('PEXPIRE', rested, ttl_ms) end
end

-- Deletes a code from all places. Returns the key of its picture, or false if there is no such code.
local function forget(codes, leases_prefix, fresh, rested, busy, scene)
  local image, ticket = unpack(redis.call('HMGET', codes .. scene, 'image', 'ticket'))
  if ticket and redis.call('GET', leases_prefix .. ticket) == scene then redis.call('DEL', leases_prefix .. ticket) end
  redis.call('DEL', codes .. scene)
  redis.call('SREM', fresh, scene)
  redis.call('SREM', rested, scene)
  redis.call('ZREM', busy, scene)
  return image
end

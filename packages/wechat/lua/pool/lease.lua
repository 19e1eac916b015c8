-- lease: leases a code to a ticket: its present code, else a fresh one, else a rested one.
-- KEYS  codes (prefix), fresh, rested, busy, run, lease
-- ARGV  ticket, lease_ms, quarantine_ms, leases (how many a code may have), random (integer), due (how many
--       to release), ttl_ms
-- reply {scene, epoch, check or "", image, type, sha256} | nil there is none to lease

local codes, fresh, rested, busy, run, lease = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ticket, lease_ms, quarantine_ms, leases = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local random, due, ttl_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

-- Most codes skipped in one call: codes in a set whose hash has expired, or whose leases are used up.
local MOST_PASSED_OVER = 100
local FIRST_NUMBER, LAST_NUMBER = 10, 99

local now = now_ms()

local function answer(scene)
  local epoch, check, image, type, sha256 =
    unpack(redis.call('HMGET', codes .. scene, 'epoch', 'check', 'image', 'type', 'sha256'))
  return { scene, tonumber(epoch), check, image, type, sha256 }
end

local function draw_check(used)
  local taken, free = {}, {}
  for number in string.gmatch(used, '%d%d') do taken[number] = true end
  for number = FIRST_NUMBER, LAST_NUMBER do
    if not taken[tostring(number)] then free[#free + 1] = tostring(number) end
  end
  return free[random % #free + 1]
end

local held = redis.call('GET', lease)
if held then
  local holder, leased_until = unpack(redis.call('HMGET', codes .. held, 'ticket', 'leasedUntil'))
  if holder == ticket and tonumber(leased_until) > now then return answer(held) end
end

distrust_after_restart(run, fresh, rested, ttl_ms)
release_due(codes, rested, busy, leases, now, due, ttl_ms)

for _ = 1, MOST_PASSED_OVER do
  local unseen = redis.call('SPOP', fresh)
  local scene = unseen or redis.call('SPOP', rested)
  if not scene then return nil end
  local key = codes .. scene
  local epoch, checks = unpack(redis.call('HMGET', key, 'epoch', 'checks'))
  epoch = tonumber(epoch)
  if epoch and epoch >= leases then
    redis.call('ZADD', busy, NEVER, scene)
    redis.call('PEXPIRE', busy, ttl_ms)
  elseif epoch then
    local check = unseen and epoch == 0 and '' or draw_check(checks or '')
    local leased_until = now + lease_ms
    local free_at = leased_until + quarantine_ms
    redis.call('HSET', key, 'epoch', epoch + 1, 'ticket', ticket, 'leasedUntil', leased_until, 'freeAt', free_at,
      'check', check, 'checks', (checks or '') .. check)
    redis.call('PEXPIRE', key, ttl_ms)
    redis.call('ZADD', busy, free_at, scene)
    redis.call('SET', lease, scene, 'PX', lease_ms)
    for _, set in ipairs({ fresh, rested, busy }) do redis.call('PEXPIRE', set, ttl_ms) end
    return answer(scene)
  end
end
return nil

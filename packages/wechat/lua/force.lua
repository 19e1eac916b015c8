-- force: may the node that fetches force a refresh of the access token now? A yes is counted, whatever its
-- outcome, and renews the lock for the second call. The quota applies to the last 24 hours, so it holds at
-- any midnight that WeChat may use.
-- KEYS  forced, lock
-- ARGV  holder, lock_ms, gap_ms, per_day, day_ms
-- reply 1 yes | 0 no, or the lock was lost

local forced, lock = KEYS[1], KEYS[2]
local holder, lock_ms = ARGV[1], ARGV[2]
local gap_ms, per_day, day_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

if redis.call('GET', lock) ~= holder then return 0 end
local seconds, micros = unpack(redis.call('TIME'))
local now = seconds * 1000 + math.floor(micros / 1000)
redis.call('ZREMRANGEBYSCORE', forced, '-inf', now - day_ms)
if redis.call('ZCARD', forced) >= per_day then return 0 end
if redis.call('ZCOUNT', forced, now - gap_ms, '+inf') > 0 then return 0 end
redis.call('ZADD', forced, now, now)
redis.call('PEXPIRE', forced, day_ms)
redis.call('PEXPIRE', lock, lock_ms)
return 1

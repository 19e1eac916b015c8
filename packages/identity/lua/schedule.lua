-- schedule: puts something on a list of what is due, or changes its time. The list outlives everything on it.
-- KEYS  due
-- ARGV  id, delay_ms, keep_ms
-- reply 1
local due, id, delay_ms, keep_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
redis.call('ZADD', due, time[1] * 1000 + math.floor(time[2] / 1000) + delay_ms, id)
return redis.call('PEXPIRE', due, keep_ms)

-- erase: begins to erase what a part has of a person. Entries of before now that are still on their way are
-- not wanted any more. The caller deletes those that are there.
-- KEYS  own, places, erased
-- ARGV  ms (how long an entry may be on its way)
-- reply the present time (ms)
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[3], now, 'PX', ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
return now

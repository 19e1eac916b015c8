-- erase: erases what a part has of a person. Entries of before now that are still on their way are not wanted
-- any more.
-- KEYS  part, own, places, erased
-- ARGV  ms (how long an entry may be on its way)
-- reply how many entries were deleted
local part, own, places, erased = unpack(KEYS)

local time = redis.call('TIME')
redis.call('SET', erased, string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), 'PX', ARGV[1])
local count = 0
for _, id in ipairs(redis.call('ZRANGE', own, 0, -1)) do count = count + redis.call('XDEL', part, id) end
redis.call('UNLINK', own, places)
return count

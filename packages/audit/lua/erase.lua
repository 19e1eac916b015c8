-- erase: erases what a part has of a person. Entries of before now that are still on their way are not wanted
-- any more.
-- KEYS  part, own, done, places, erased
-- ARGV  ms (how long an entry may be on its way), bys (prefix of the lists of API keys in this slot)
-- reply how many entries were deleted
local part, own, done, places, erased = unpack(KEYS)

local time = redis.call('TIME')
redis.call('SET', erased, string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), 'PX', ARGV[1])
local count = 0
for _, id in ipairs(redis.call('ZRANGE', own, 0, -1)) do count = count + redis.call('XDEL', part, id) end
for _, id in ipairs(redis.call('ZRANGE', done, 0, -1)) do
  local entry = redis.call('XRANGE', part, id, id)[1]
  -- A list that is not here while the slot moves keeps an id that leads nowhere.
  if entry then redis.pcall('ZREM', ARGV[2] .. (entry[2][12] or ''), id) end
  count = count + redis.call('XDEL', part, id)
end
redis.call('UNLINK', own, done, places)
return count

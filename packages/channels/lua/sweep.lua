-- sweep: removes the connections of a dead node from a channel, some people per call.
-- KEYS  people, mine (the dead node's), live
-- ARGV  announces 0|1, most (people in this call)
-- reply number of people left

local people, mine, live = unpack(KEYS)
local announces, most = ARGV[1] == '1', tonumber(ARGV[2])

local some = redis.call('HRANDFIELD', mine, most, 'WITHVALUES')
for i = 1, #some, 2 do
  add_connections(people, live, announces, some[i], -tonumber(some[i + 1]))
  redis.call('HDEL', mine, some[i])
end
return redis.call('HLEN', mine)

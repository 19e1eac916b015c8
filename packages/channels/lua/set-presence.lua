-- set-presence: sets how many connections some people have on a node. Numbers are absolute, so a call may be
-- repeated.
-- KEYS  people, mine, live
-- ARGV  announces 0|1, then user, connections, …
-- reply 1

local people, mine, live = unpack(KEYS)
local announces = ARGV[1] == '1'

for i = 2, #ARGV, 2 do
  local user, connections = ARGV[i], tonumber(ARGV[i + 1])
  local known = tonumber(redis.call('HGET', mine, user) or 0)
  if connections > 0 then redis.call('HSET', mine, user, connections) else redis.call('HDEL', mine, user) end
  add_connections(people, live, announces, user, connections - known)
end
keep(people, DAY_MS)
keep(mine, DAY_MS)
return 1

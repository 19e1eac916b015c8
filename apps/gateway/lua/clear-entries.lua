-- clear-entries: removes what is over: entries that expired long ago, and old marks of removed ones. Nodes
-- need not be told: they know the time themselves.
-- KEYS  table
-- ARGV  for each of them: field, value
-- reply how many were removed
local removed = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    removed = removed + redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return removed

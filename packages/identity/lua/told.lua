-- told: notes which applications need not be told any more, and that one more try is over.
-- KEYS  untold
-- ARGV  client, ...
-- reply {number of tries so far, number of applications that are left}
local untold = KEYS[1]
for _, client in ipairs(ARGV) do redis.call('HDEL', untold, '@' .. client) end
local left = 0
for _, name in ipairs(redis.call('HKEYS', untold)) do
  if string.sub(name, 1, 1) == '@' then left = left + 1 end
end
if left == 0 then
  redis.call('UNLINK', untold)
  return { 0, 0 }
end
return { redis.call('HINCRBY', untold, 'n', 1), left }

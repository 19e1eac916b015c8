-- note-uses: notes the first and the last use of API keys or applications, by their id.
-- KEYS  uses
-- ARGV  keep_ms, most, then for each of them: id, ms (when it was used)
-- reply 1
local uses, keep_ms, most = KEYS[1], ARGV[1], tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
  local id, ms = ARGV[i], ARGV[i + 1]
  local first, last = string.match(redis.call('HGET', uses, id) or '', '^(%d+) (%d+)$')
  if not last or tonumber(ms) > tonumber(last) then
    redis.call('HSET', uses, id, (first or ms) .. ' ' .. ms)
  end
end
-- Lines of the file come and go without a word to Redis.
while redis.call('HLEN', uses) > most do
  local all, oldest, since = redis.call('HGETALL', uses), nil, nil
  for i = 1, #all, 2 do
    local last = tonumber(string.match(all[i + 1], '(%d+)$'))
    if not since or last < since then
      oldest, since = all[i], last
    end
  end
  redis.call('HDEL', uses, oldest)
end
redis.call('PEXPIRE', uses, keep_ms)
return 1

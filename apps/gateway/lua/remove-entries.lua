-- remove-entries: takes entries out of a table, and leaves a mark of each, so that no node puts it back.
-- KEYS  table, uses, channel
-- ARGV  version, then for each entry: name, id, until (ms, when the mark may go)
-- reply for each entry 1 | 0 (it was not there)
local at, uses, channel = KEYS[1], KEYS[2], KEYS[3]

-- Nodes need not read to know what ends: Redis may fail over right behind this message.
local replies, message, is_changed = {}, { ARGV[1] }, false
for i = 2, #ARGV, 3 do
  local name, id, till = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local stored = redis.call('HGET', at, name)
  -- The version and the marks are no entries.
  local was_there = stored and string.match(name, '^[%w-][%w._-]*$') and string.match(stored, '^(%S+) ') == id
  if was_there then redis.call('HDEL', at, name) end
  if was_there or redis.call('HEXISTS', at, '!' .. id) == 0 then
    redis.call('HSET', at, '!' .. id, till .. ' ' .. name)
    redis.call('HDEL', uses, id)
    is_changed = true
    message[#message + 1] = id
    message[#message + 1] = name
  end
  replies[#replies + 1] = was_there and 1 or 0
end
if is_changed then
  redis.call('HSET', at, '.', ARGV[1])
  redis.call('SPUBLISH', channel, table.concat(message, ' '))
end
return replies

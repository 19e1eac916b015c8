-- put-entries: stores entries of a table (API keys, applications), each if nobody has changed it meanwhile.
-- KEYS  table, API keys (the same table, or another one in its slot), channel
-- ARGV  version, most_entries, most_fields, id of the API key that asks ('' = none), then for each entry:
--       name, former record ('' = none), record
-- reply for each entry OK | CHANGED | FULL (only a new entry can be too many) | REVOKED (who asks is)
local at, callers, channel = KEYS[1], KEYS[2], KEYS[3]
local version, most_entries, most_fields, asking = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local is_revoked = asking ~= '' and redis.call('HEXISTS', callers, '!' .. asking) == 1

-- Beside the entries there are the version, and marks of removed entries. No name begins with dot or mark.
local count, fields
local function has_room()
  if not count then
    local names = redis.call('HKEYS', at)
    count, fields = 0, #names
    for _, name in ipairs(names) do
      if name ~= '.' and string.sub(name, 1, 1) ~= '!' then count = count + 1 end
    end
  end
  return count < most_entries and fields < most_fields
end

local replies, is_changed = {}, false
for i = 5, #ARGV, 3 do
  local name, former, record = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id = string.match(record, '^(%S+) ')
  local stored = redis.call('HGET', at, name) or ''
  local reply = 'OK'
  if is_revoked then
    reply = 'REVOKED'
  -- The version and the marks are no entries.
  elseif not string.match(name, '^[%w-][%w._-]*$') or stored ~= former or redis.call('HEXISTS', at, '!' .. id) == 1 then
    reply = 'CHANGED'
  elseif stored == '' and not has_room() then
    reply = 'FULL'
  else
    redis.call('HSET', at, name, record)
    is_changed = true
    if stored == '' then count, fields = count + 1, fields + 1 end
  end
  replies[#replies + 1] = reply
end
if is_changed then
  redis.call('HSET', at, '.', version)
  redis.call('SPUBLISH', channel, version)
end
return replies

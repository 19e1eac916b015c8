-- put-keys: stores API keys, each if nobody has changed it meanwhile.
-- KEYS  keys, channel
-- ARGV  version, most_keys, most_fields, id of the key that asks ('' = none), then for each key: name, former
--       record ('' = none), record
-- reply for each key OK | CHANGED | FULL (only a key that is new can be too many) | REVOKED (who asks is)
local keys, channel = KEYS[1], KEYS[2]
local version, most_keys, most_fields, asking = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local is_revoked = asking ~= '' and redis.call('HEXISTS', keys, '!' .. asking) == 1

-- Beside the keys there are the version, and marks of revoked keys. Names of keys have neither dot nor mark.
local count, fields
local function has_room()
  if not count then
    local names = redis.call('HKEYS', keys)
    count, fields = 0, #names
    for _, name in ipairs(names) do
      if name ~= '.' and string.sub(name, 1, 1) ~= '!' then count = count + 1 end
    end
  end
  return count < most_keys and fields < most_fields
end

local replies, is_changed = {}, false
for i = 5, #ARGV, 3 do
  local name, former, record = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id = string.match(record, '^(%S+) ')
  local stored = redis.call('HGET', keys, name) or ''
  local reply = 'OK'
  if is_revoked then
    reply = 'REVOKED'
  -- The version and the marks are no keys.
  elseif not string.match(name, '^[%w-]+$') or stored ~= former or redis.call('HEXISTS', keys, '!' .. id) == 1 then
    reply = 'CHANGED'
  elseif stored == '' and not has_room() then
    reply = 'FULL'
  else
    redis.call('HSET', keys, name, record)
    is_changed = true
    if stored == '' then count, fields = count + 1, fields + 1 end
  end
  replies[#replies + 1] = reply
end
if is_changed then
  redis.call('HSET', keys, '.', version)
  redis.call('SPUBLISH', channel, version)
end
return replies

-- ending: marks sessions of a person's list as being ended. Only those that are on it and not over: a mark is
-- no longer than the entry that it replaces, so it is made also in a full Redis.
-- KEYS  sessions
-- ARGV  sid, ...
-- reply {sid, ...} of those that were marked before
local sessions = KEYS[1]
local before = {}
for _, sid in ipairs(ARGV) do
  local entry = redis.call('HGET', sessions, sid)
  if entry == '' then before[#before + 1] = sid
  elseif entry and string.sub(entry, 1, 6) ~= 'ended:' then redis.call('HSET', sessions, sid, '') end
end
return before

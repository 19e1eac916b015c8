-- ending: marks sessions on a person's list as being ended. It marks only sessions that are listed and not
-- over. A mark is never longer than the entry that it replaces, so it can be written to a full Redis.
-- KEYS  sessions
-- ARGV  sid, ...
-- reply {sid, ...} of the sessions that were marked before
local sessions = KEYS[1]
local before = {}
for _, sid in ipairs(ARGV) do
  local entry = redis.call('HGET', sessions, sid)
  if entry == '' then before[#before + 1] = sid
  elseif entry and string.sub(entry, 1, 6) ~= 'ended:' then redis.call('HSET', sessions, sid, '') end
end
return before

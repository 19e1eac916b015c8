-- ending: marks sessions of a person's list as being ended. Only those that are on it: a mark is no longer than the entry that it
-- replaces, so it is made also in a full Redis.
-- KEYS  sessions
-- ARGV  mark, sid, ...
-- reply {sid, ...} of those that were marked before
local sessions, mark = KEYS[1], ARGV[1]
local before = {}
for i = 2, #ARGV do
  local entry = redis.call('HGET', sessions, ARGV[i])
  if entry == mark then before[#before + 1] = ARGV[i] end
  if entry and entry ~= mark then redis.call('HSET', sessions, ARGV[i], mark) end
end
return before

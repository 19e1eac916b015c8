-- replace-entry: replaces a session's entry on its person's list, if the entry is still what it was read as.
-- So a session that is being ended stays so.
-- KEYS  sessions
-- ARGV  sid, expected, replacement
-- reply 1 | 0 when the entry has changed or is gone
local sessions, sid, expected, replacement = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', sessions, sid) ~= expected then return 0 end
redis.call('HSET', sessions, sid, replacement)
return 1

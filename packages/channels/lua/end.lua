-- end: a session of a person has ended, or all of them. Told at once, and remembered for those who could not hear it.
-- KEYS  ends, live
-- ARGV  sid ('' for all), mark (a word that no other end has), ms
-- reply 1

local ends, live = KEYS[1], KEYS[2]
local sid, mark, ms = ARGV[1], ARGV[2], tonumber(ARGV[3])

redis.call('HSET', ends, sid, mark)
redis.call('PEXPIRE', ends, ms)
redis.call('SPUBLISH', live, 'e' .. sid)
return 1

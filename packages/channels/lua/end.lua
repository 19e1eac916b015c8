-- end: announces that a session of a person, or all of them, has ended, and remembers it for nodes that miss
-- the announcement. It also runs in a full Redis, so what it writes is bounded: above `most` entries, one
-- entry for all sessions replaces them, and every session has to be looked up.
-- KEYS  ends, live
-- ARGV  sid ('' for all), mark (unique to this end), ms, most
-- reply 1

local ends, live = KEYS[1], KEYS[2]
local sid, mark, ms, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local remembered = sid
if redis.call('HLEN', ends) >= most and redis.call('HEXISTS', ends, sid) == 0 then
  redis.call('DEL', ends)
  remembered = ''
end
redis.call('HSET', ends, remembered, mark)
redis.call('PEXPIRE', ends, ms)
redis.call('SPUBLISH', live, 'e' .. sid)
return 1

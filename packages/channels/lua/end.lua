-- end: a session of a person has ended, or all of them. Told at once, and remembered for those who could not
-- hear it. Runs also in a full Redis, so what it writes is bounded: when most are remembered, one of all
-- stands for them, after which each is looked up.
-- KEYS  ends, live
-- ARGV  sid ('' for all), mark (a word that no other end has), ms, most
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

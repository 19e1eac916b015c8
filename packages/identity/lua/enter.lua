-- enter: notes in the record of a session, or of an application's grant, which application has to be told of
-- its end. It goes with the record, or into what `take` leaves.
-- KEYS  grant
-- ARGV  client
-- reply 1 | 0 when the session is over
local grant, client = KEYS[1], ARGV[1]
if redis.call('EXISTS', grant) == 0 then return 0 end
redis.call('HSET', grant, '@' .. client, '')
return 1

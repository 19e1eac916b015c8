-- touch: a write that changes nothing about a ticket, for replicas to acknowledge.
-- KEYS  ticket
-- reply 1 | 0 when it is gone
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'touched', 1)
return 1

-- erase: deletes the ticket of a person.
-- KEYS  ticket
-- ARGV  sub
-- reply 1 | 0 when it is gone, or of somebody else
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])

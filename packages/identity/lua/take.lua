-- take: ends a session. It only deletes, so it also runs in a full Redis, which would refuse MULTI.
-- KEYS  grant
-- reply {field, value, ...} of its record | {} when the session was gone
local fields = redis.call('HGETALL', KEYS[1])
redis.call('UNLINK', KEYS[1])
return fields

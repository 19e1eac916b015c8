-- take: ends a session. It only deletes, so it also runs in a full Redis, which would refuse MULTI.
-- KEYS  grant
-- reply {its payload, the name of its last refresh token's record or ''} | nil when the session was gone
local payload, token = unpack(redis.call('HMGET', KEYS[1], 'payload', 'token'))
redis.call('UNLINK', KEYS[1])
return payload and { payload, token or '' }

-- take: ends a session. Takes only away, so it runs also in a full Redis, where MULTI would be refused.
-- KEYS  grant
-- reply {its payload, the name of its last refresh token's record or ''} | nil when it was gone
local payload, token = unpack(redis.call('HMGET', KEYS[1], 'payload', 'token'))
redis.call('UNLINK', KEYS[1])
return payload and { payload, token or '' }

-- take: ends a session. Takes only away, so it runs also in a full Redis, where MULTI would be refused.
-- KEYS  grant
-- reply its payload | nil when it was gone
local payload = redis.call('HGET', KEYS[1], 'payload')
redis.call('UNLINK', KEYS[1])
return payload
